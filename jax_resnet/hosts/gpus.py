"""Lists this machine's GPUs without JAX. JAX would reserve their memory."""

import importlib.util
import os
import subprocess

PLUGINS = ('jax_cuda12_plugin', 'jax_cuda13_plugin')


def find_gpus() -> list[str]:
    """Returns the GPUs that programs may use: those in CUDA_VISIBLE_DEVICES, or all that `nvidia-smi` lists.

    Without JAX's plugin for CUDA, programs would use the CPU: returns none.
    """
    if not any(map(importlib.util.find_spec, PLUGINS)):
        return []
    visible = os.environ.get('CUDA_VISIBLE_DEVICES')
    if visible is not None:
        return [name for name in visible.split(',') if name]
    try:
        query = ['nvidia-smi', '--query-gpu=index', '--format=csv,noheader']
        return subprocess.run(query, capture_output=True, text=True, check=True).stdout.split()
    except (OSError, subprocess.CalledProcessError):
        return []
