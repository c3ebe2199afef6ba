"""Finds the rank of this process among the processes that train one run.

JAX finds it too. Here the processes of a host also divide its GPUs, the steps of a Slurm job have different ports, Open
MPI 5 is known, too, and a job with one process does not wait for others.
"""

import importlib.util
import os
import re
import subprocess
from dataclasses import dataclass

from jax_resnet.errors import ConfigError

PLUGINS = ('jax_cuda12_plugin', 'jax_cuda13_plugin')


@dataclass(frozen=True)
class Rank:
    """The rank of this process among the processes of a run.

    Attributes:
        address: HOST:PORT of the coordinator, in process 0.
        count: number of processes.
        index: index of this process, from 0.
        count_on_host: number of processes on this host.
        index_on_host: index of this process among these, from 0.
    """

    address: str
    count: int
    index: int
    count_on_host: int = 1
    index_on_host: int = 0


def find_rank(coordinator: str | None, count: int | None, index: int | None) -> Rank | None:
    """Returns the rank of this process, from the arguments, or else from Open MPI or Slurm. None if it is alone.

    Args:
        coordinator: HOST:PORT of process 0. Within Open MPI or Slurm, it is given alone; Slurm also gives it.
        count, index: number of processes, and index of this one. A `count` of 1 means one process, also within Slurm.

    Raises:
        ConfigError: an argument is missing or not valid.
    """
    if count == 1:
        return None
    if coordinator is not None:
        match = re.fullmatch(r'(?:\[[^\s\]]+\]|[^\s:\[\]]+):(\d{1,5})', coordinator)
        if match is None or not 0 < int(match[1]) < 2**16:
            raise ConfigError(f'--coordinator={coordinator}: must be HOST:PORT of process 0, such as node01:12345')
    mpi, slurm = (int(os.environ.get(name, 0)) for name in ('OMPI_COMM_WORLD_SIZE', 'SLURM_STEP_NUM_TASKS'))
    if count is None and index is None and (coordinator is None or mpi or slurm):
        if mpi > 1:
            names = ('RANK', 'LOCAL_SIZE', 'LOCAL_RANK')
            if coordinator is None:
                raise ConfigError('--coordinator: must be HOST:PORT of process 0, which Open MPI does not give')
            return Rank(coordinator, mpi, *(int(os.environ[f'OMPI_COMM_WORLD_{name}']) for name in names))
        if slurm > 1:
            on_host = len(os.environ['SLURM_GTIDS'].split(','))  # the tasks on this host
            index, index_on_host = int(os.environ['SLURM_PROCID']), int(os.environ['SLURM_LOCALID'])
            return Rank(coordinator or _slurm_address(), slurm, index, on_host, index_on_host)
        return None
    if coordinator is None or count is None or index is None:
        raise ConfigError('--coordinator, --processes, --process: all three must be given, or none')
    if not 0 <= index < count:
        raise ConfigError(f'--process={index}: must be at least 0 and less than --processes={count}')
    return Rank(coordinator, count, index)


def _slurm_address() -> str:
    """Returns the address on the first host of the job's step, and a port made from the numbers of job and step."""
    first = re.split(r',(?![^\[]*\])', os.environ['SLURM_STEP_NODELIST'])[0]  # of a list such as gpu[007-008,012],login
    host = re.sub(r'\[(\w+)[^\]]*\]', r'\1', first)
    return f'{host}:{61440 + (int(os.environ["SLURM_JOB_ID"]) + int(os.environ["SLURM_STEP_ID"])) % 4096}'


def find_gpus() -> list[str]:
    """Returns this machine's GPUs that programs may use: those in CUDA_VISIBLE_DEVICES, or all that `nvidia-smi` lists.

    Without JAX's plugin for CUDA, programs would use the CPU: returns none. JAX is not asked, as it would reserve their
    memory.
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
