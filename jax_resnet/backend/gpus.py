"""The GPUs of this machine, found without JAX, which would take them."""

import os
import subprocess


def find_gpus() -> list[str]:
    """The GPUs that programs may use: those of CUDA_VISIBLE_DEVICES, else all that `nvidia-smi` lists."""
    visible = os.environ.get('CUDA_VISIBLE_DEVICES')
    if visible is not None:
        return [name for name in visible.split(',') if name]
    try:
        query = ['nvidia-smi', '--query-gpu=index', '--format=csv,noheader']
        return subprocess.run(query, capture_output=True, text=True, check=True).stdout.split()
    except (OSError, subprocess.CalledProcessError):
        return []
