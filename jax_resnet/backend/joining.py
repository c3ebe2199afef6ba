"""How a program joins the other processes that train one run, and how it exits.

Open MPI and Slurm say how many processes there are, and which one this is. Without them, the command line does.
"""

import atexit
import contextlib
import logging
import os
import re
import socket
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from jax_resnet.backend.gpus import find_gpus
from jax_resnet.backend.native_output import NativeOutput
from jax_resnet.backend.watch import MISSING, Watch
from jax_resnet.errors import ConfigError, Diverged, Stopped, UserError

LEAST_PATIENCE = 5.0
"""Seconds: a process that starts or compiles may say nothing for some."""


@dataclass(frozen=True)
class Place:
    """One process of several.

    Attributes:
        address: HOST:PORT of the coordinator, in process 0.
        count: of the processes.
        index: of this one, from 0.
        of_host: the number of processes on this host.
        index_on_host: of this one among these, from 0.
    """

    address: str
    count: int
    index: int
    of_host: int = 1
    index_on_host: int = 0


def find(coordinator: str | None, count: int | None, index: int | None) -> Place | None:
    """Returns the place of this process, or None if it is alone: by its arguments, else by Open MPI or Slurm.

    Args:
        coordinator: HOST:PORT. Alone, it replaces the address that Open MPI or Slurm gives.
        count, index: the number of processes, and of this one. A `count` of 1 is one process, also under Slurm.

    Raises:
        ConfigError: some of the arguments without the others, or values that cannot be.
    """
    if count == 1:
        return None
    if coordinator is not None and not _is_address(coordinator):
        raise ConfigError(f'--coordinator={coordinator}: must be HOST:PORT of process 0, such as node01:12345')
    if count is None and index is None:
        return _of_open_mpi(os.environ, coordinator) or _of_slurm(os.environ, coordinator)
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


def _of_slurm(variables: Mapping[str, str], coordinator: str | None) -> Place | None:
    """The place of a task of `srun`. The number of its job gives the port."""
    count, nodes = int(variables.get('SLURM_STEP_NUM_TASKS', 1)), variables.get('SLURM_STEP_NODELIST', '')
    if count == 1 or not nodes:
        return None
    first = re.split(r',(?![^\[]*\])', nodes)[0]  # from such as gpu[007-008,012],login
    host = re.sub(r'\[(\w+)[^\]]*\]', r'\1', first)
    port = 61440 + (int(variables['SLURM_JOB_ID']) + int(variables.get('SLURM_STEP_ID', 0))) % 4096
    of_nodes: list[int] = []  # from such as 8(x2),4
    for tasks, times in re.findall(r'(\d+)(?:\(x(\d+)\))?', variables.get('SLURM_STEP_TASKS_PER_NODE', '1')):
        of_nodes += [int(tasks)] * int(times or 1)
    node = int(variables.get('SLURM_NODEID', 0))
    return Place(
        coordinator or f'{host}:{port}',
        count,
        int(variables['SLURM_PROCID']),
        of_nodes[node] if node < len(of_nodes) else 1,
        int(variables.get('SLURM_LOCALID', 0)),
    )


def _of_open_mpi(variables: Mapping[str, str], coordinator: str | None) -> Place | None:
    """The place of a process of `mpirun`. Open MPI 4 gives the address of the host that `mpirun` was started on."""
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


@contextlib.contextmanager
def joined(place: Place | None, join_timeout: float = 300.0, patience: float = 60.0) -> Iterator[None]:
    """Joins the other processes, and watches them while the block runs. If `place` is None, it does nothing.

    After success, a stop or divergence, all processes exit together. After another error, this process tells the
    others, and they exit too. If a process is missing, this one prints a line and exits with code `watch.MISSING`.

    Args:
        place: of this process.
        join_timeout: seconds to wait for all processes at the start.
        patience: the longest silence of a process, in seconds.

    Raises:
        ConfigError: process 0 cannot be reached, its port is taken, or a time cannot be.
    """
    if place is None:
        yield
        return
    for flag, seconds, least in (('--join_timeout', join_timeout, 1), ('--patience', patience, LEAST_PATIENCE)):
        if not least <= seconds < float('inf'):
            raise ConfigError(f'{flag}={seconds:g}: must be a number of seconds, at least {least:g}')
    watch = _join(place, join_timeout, patience)
    try:
        yield
    except (Stopped, Diverged):
        _shut_down_together(watch)
        raise
    except BaseException as e:
        if isinstance(e, Exception) and not isinstance(e, UserError | OSError | MemoryError):
            watch.wait_for_verdict()  # JAX's errors of a broken connection have no class of their own
        code = e.exit_code if isinstance(e, UserError) else 2 if isinstance(e, OSError | MemoryError) else 1
        watch.announce(code, ' '.join(str(e).split()) or type(e).__name__)
        atexit.register(_exit_alone, watch, code)
        raise
    _shut_down_together(watch)


def _join(place: Place, join_timeout: float, patience: float) -> Watch:
    end = time.monotonic() + join_timeout
    _reach(place, end)
    import jax

    from jax_resnet.backend import processes

    watches: list[Watch] = []

    def line() -> str:
        if watches:
            return watches[0].coordinator_is_gone()
        return (
            f'error: process {place.index} of {place.count}: not all of them came to {place.address} within '
            f'{join_timeout:.0f} s (--join_timeout)'
        )

    NativeOutput(MISSING, line)
    jax.config.update('jax_enable_preemption_service', False)  # it would take SIGTERM, which `signals` heeds
    jax.distributed.initialize(
        place.address,
        place.count,
        place.index,
        local_device_ids=_own_gpus(place, find_gpus()),
        cluster_detection_method='deactivate',
        initialization_timeout=max(1, round(end - time.monotonic())),
        heartbeat_timeout_seconds=round(10 * patience) + 60,  # the watch is to be first
    )
    if place.index:
        logging.getLogger('jax_resnet').setLevel(logging.WARNING)  # process 0 tells how the run is
    if jax.default_backend() != 'cpu':
        # One that finds its program in a cache of its own would not tune kernels, and others would wait for that.
        jax.config.update('jax_compilation_cache_dir', None)
    watches.append(Watch(processes.client(), place.address, place.index, place.count, patience))
    watches[0].start()
    return watches[0]


def _reach(place: Place, end: float) -> None:
    """Raises ConfigError if process 0 cannot be reached until `end`, or if its port is taken. JAX would abort."""
    host, _, port = place.address.rpartition(':')
    if place.index == 0:
        try:
            if socket.has_dualstack_ipv6():
                socket.create_server(('', int(port)), family=socket.AF_INET6, dualstack_ipv6=True).close()
            else:
                socket.create_server(('', int(port))).close()
        except OSError as e:
            raise ConfigError(f'process 0: cannot listen at {place.address} ({e.strerror})') from None
        return
    while True:
        try:
            socket.create_connection((host.strip('[]'), int(port)), timeout=5).close()
            return
        except OSError as e:
            reason = e.strerror or str(e)
        if time.monotonic() > end:
            raise ConfigError(
                f'process {place.index} of {place.count}: cannot reach process 0 at {place.address} ({reason})'
            )
        time.sleep(0.5)


def _own_gpus(place: Place, gpus: Sequence[str]) -> list[int] | None:
    """Returns the positions of this process's GPUs among those that it sees, or None for all.

    The processes of a host share its GPUs evenly, unless each process sees its own GPUs only.
    """
    each, on_host = len(gpus) // place.of_host, int(os.environ.get('SLURM_GPUS_ON_NODE', 0))
    if place.of_host == 1 or not each or 'SLURM_GPUS_PER_TASK' in os.environ or len(gpus) < on_host:
        return None
    return list(range(place.index_on_host * each, (place.index_on_host + 1) * each))


def _shut_down_together(watch: Watch) -> None:
    import jax

    from jax_resnet.backend import processes

    processes.barrier('the end')
    watch.stop()
    jax.distributed.shutdown()


def _exit_alone(watch: Watch, code: int) -> None:
    """Ends the process without JAX's own shutdown, which would wait for the others."""
    try:
        watch.wait_until_heard()
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)
