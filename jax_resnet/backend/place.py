"""Finds the place of this process among the processes that train one run.

Open MPI and Slurm give the number of processes and the index of this one. Without them, the command line gives both.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

from jax_resnet.errors import ConfigError


@dataclass(frozen=True)
class Place:
    """The place of this process among the processes of a run.

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


def find_place(coordinator: str | None, count: int | None, index: int | None) -> Place | None:
    """Returns the place of this process, from the arguments, or else from Open MPI or Slurm. None if it is alone.

    Args:
        coordinator: HOST:PORT of process 0. Within Open MPI or Slurm, it can be given alone, and replaces their
            address.
        count, index: number of processes, and index of this one. A `count` of 1 means one process, also within Slurm.

    Raises:
        ConfigError: an argument is missing or not valid; or Open MPI gives no address.
    """
    if count == 1:
        return None
    if coordinator is not None and not _is_address(coordinator):
        raise ConfigError(f'--coordinator={coordinator}: must be HOST:PORT of process 0, such as node01:12345')
    is_launched = 'OMPI_COMM_WORLD_SIZE' in os.environ or 'SLURM_STEP_NUM_TASKS' in os.environ
    if count is None and index is None and (coordinator is None or is_launched):
        return _from_open_mpi(os.environ, coordinator) or _from_slurm(os.environ, coordinator)
    given = {'--coordinator': coordinator, '--processes': count, '--process': index}
    missing = [name for name, value in given.items() if value is None]
    if coordinator is None or count is None or index is None:
        others = ', '.join(name for name in given if name not in missing)
        raise ConfigError(f'{", ".join(missing)}: must be given with {others}')
    if count < 1:
        raise ConfigError(f'--processes={count}: must be at least 1')
    if not 0 <= index < count:
        raise ConfigError(f'--process={index}: must be from 0 to {count - 1}, as there are {count} (--processes)')
    return Place(coordinator, count, index)


def _is_address(text: str) -> bool:
    match = re.fullmatch(r'(\[[^\s\]]+\]|[^\s:\[\]]+):(\d{1,5})', text)
    return match is not None and 0 < int(match[2]) < 2**16


def _from_slurm(variables: Mapping[str, str], coordinator: str | None) -> Place | None:
    """Returns the place of a task of `srun`. The job's number determines the port."""
    count, nodes = int(variables.get('SLURM_STEP_NUM_TASKS', 1)), variables.get('SLURM_STEP_NODELIST', '')
    if count == 1 or not nodes:
        return None
    first = re.split(r',(?![^\[]*\])', nodes)[0]  # of a list such as gpu[007-008,012],login
    host = re.sub(r'\[(\w+)[^\]]*\]', r'\1', first)
    port = 61440 + (int(variables['SLURM_JOB_ID']) + int(variables.get('SLURM_STEP_ID', 0))) % 4096
    tasks_of_nodes: list[int] = []  # from a list such as 8(x2),4
    for tasks, times in re.findall(r'(\d+)(?:\(x(\d+)\))?', variables.get('SLURM_STEP_TASKS_PER_NODE', '1')):
        tasks_of_nodes += [int(tasks)] * int(times or 1)
    node = int(variables.get('SLURM_NODEID', 0))
    return Place(
        coordinator or f'{host}:{port}',
        count,
        int(variables['SLURM_PROCID']),
        tasks_of_nodes[node] if node < len(tasks_of_nodes) else 1,
        int(variables.get('SLURM_LOCALID', 0)),
    )


def _from_open_mpi(variables: Mapping[str, str], coordinator: str | None) -> Place | None:
    """Returns the place of a process of `mpirun`. Open MPI 4 gives the address of the host where `mpirun` runs."""
    count = int(variables.get('OMPI_COMM_WORLD_SIZE', 1))
    if count == 1:
        return None
    uri = variables.get('OMPI_MCA_orte_hnp_uri', '')
    found = re.search(r'tcp://([^,:]+)|tcp6://\[([^,\]]+)', uri)
    if coordinator is None:
        if found is None:
            raise ConfigError('--coordinator: must be HOST:PORT of process 0, as this Open MPI gives no address')
        port = 61440 + int(uri.partition('.')[0]) // 4096 % 4096
        coordinator = f'{found[1]}:{port}' if found[1] else f'[{found[2]}]:{port}'
    return Place(
        coordinator,
        count,
        int(variables['OMPI_COMM_WORLD_RANK']),
        int(variables.get('OMPI_COMM_WORLD_LOCAL_SIZE', 1)),
        int(variables.get('OMPI_COMM_WORLD_LOCAL_RANK', 0)),
    )
