"""Describes the environment of a run: versions, devices, and the git commit of this package."""

import importlib.metadata
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

PACKAGES = (
    *('jax_resnet', 'jax', 'jaxlib', 'flax', 'optax', 'orbax-checkpoint', 'tensorflow-datasets', 'numpy'),
    *('Pillow', 'simplejpeg', 'grain'),  # decode and resize pictures
)

HUGE_PAGES = 'glibc.malloc.hugetlb=1:glibc.malloc.mmap_threshold=4294967296:glibc.malloc.trim_threshold=1099511627776'
"""GLIBC_TUNABLES of runs on a CPU, unless the user has set it. A run then uses huge pages and keeps freed memory.

So it trains faster. The C library reads the variable only when a process starts (glibc from 2.35 on; others ignore it).
Thus a run cannot set it for itself.
"""


def environment(options: Mapping[str, Any]) -> dict[str, Any]:
    """Returns date (UTC), versions, devices, git commit and JAX's options. JSON can represent all values.

    The git commit is None if the package is not in a git checkout. A '+' after it means uncommitted changes.

    Args:
        options: JAX's options, as `exactness.exact` yields them.
    """
    import jax

    versions = {'python': platform.python_version()}
    for name in PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = 'not installed'
    return {
        'date': datetime.now(UTC).isoformat(timespec='seconds'),
        'versions': versions,
        'device': describe_devices(jax.devices()),
        'git_commit': _git_commit(),
        'jax_options': dict(options),
    }


def describe_devices(devices: Sequence[Any]) -> str:
    """Describes devices, for example '1 x NVIDIA H200', '1 x cpu (2 cores)' or '16 x NVIDIA H200 in 2 processes'.

    The cores are those on which this process may run.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()
    each = f' ({cores} cores)' if devices[0].platform == 'cpu' else ''
    count = len({device.process_index for device in devices})
    return f'{len(devices)} x {devices[0].device_kind}{each}' + (f' in {count} processes' if count > 1 else '')


def _git_commit() -> str | None:
    def git(*words: str) -> str:
        return subprocess.check_output(('git', *words), cwd=Path(__file__).parent, stderr=subprocess.DEVNULL, text=True)

    try:
        git('ls-files', '--error-unmatch', Path(__file__).name)  # fails if another repository contains this package
        commit, changes = git('rev-parse', 'HEAD').strip(), git('status', '--porcelain').strip()
        return f'{commit}+' if changes else commit
    except (OSError, subprocess.CalledProcessError):
        return None
