"""How a program becomes one of several processes that train one run, and how it ends as such.

Slurm and Open MPI say which process of how many this one is; without them, the command line does.
"""

import atexit
import contextlib
import errno
import logging
import os
import re
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
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
        of_host: how many there are on this host.
        index_on_host: of this one among these.
    """

    address: str
    count: int
    index: int
    of_host: int = 1
    index_on_host: int = 0


def find(coordinator: str | None, count: int | None, index: int | None) -> Place | None:
    """The place of this process; None: it is alone.

    Args:
        coordinator: HOST:PORT, as the command line has it; count and index: likewise.

    Raises:
        ConfigError: some of the three without the others, or ones that cannot be.
    """
    given = {'--coordinator': coordinator, '--processes': count, '--process': index}
    if all(value is None for value in given.values()):
        return _of_slurm(os.environ) or _of_open_mpi(os.environ)
    missing = ', '.join(name for name, value in given.items() if value is None)
    if coordinator is None or count is None or index is None:
        raise ConfigError(f'{missing}: must be given with {", ".join(given.keys() - set(missing.split(", ")))}')
    if not re.fullmatch(r'\S+:\d{1,5}', coordinator) or not 0 < int(coordinator.rpartition(':')[2]) < 2**16:
        raise ConfigError(f'--coordinator={coordinator}: must be HOST:PORT of process 0, such as node01:12345')
    if count < 1:
        raise ConfigError(f'--processes={count}: must be at least 1')
    if not 0 <= index < count:
        raise ConfigError(f'--process={index}: must be from 0 to {count - 1}, as there are {count} (--processes)')
    return Place(coordinator, count, index) if count > 1 else None


def _of_slurm(variables: Mapping[str, str]) -> Place | None:
    """Of a task of `srun`. Its job's number gives the port."""
    count, nodes = int(variables.get('SLURM_STEP_NUM_TASKS', 1)), variables.get('SLURM_STEP_NODELIST', '')
    first = re.match(r'([^,\[]+)(?:\[(\d+))?', nodes)
    if count == 1 or first is None:
        return None
    of_nodes: list[int] = []  # from such as 8(x2),4
    for tasks, times in re.findall(r'(\d+)(?:\(x(\d+)\))?', variables.get('SLURM_STEP_TASKS_PER_NODE', '1')):
        of_nodes += [int(tasks)] * int(times or 1)
    node = int(variables.get('SLURM_NODEID', 0))
    port = 61440 + (int(variables['SLURM_JOB_ID']) + int(variables.get('SLURM_STEP_ID', 0))) % 4096
    return Place(
        f'{first[1]}{first[2] or ""}:{port}',
        count,
        int(variables['SLURM_PROCID']),
        of_nodes[node] if node < len(of_nodes) else 1,
        int(variables.get('SLURM_LOCALID', 0)),
    )


def _of_open_mpi(variables: Mapping[str, str]) -> Place | None:
    """Of a process of `mpirun`, where Open MPI 4 gives the address of its own."""
    count = int(variables.get('OMPI_COMM_WORLD_SIZE', 1))
    if count == 1:
        return None
    launcher = re.match(r'(\d+)\..*tcp6?://\[?([^,\]:]+)', variables.get('OMPI_MCA_orte_hnp_uri', ''))
    if launcher is None:
        raise ConfigError(
            'this Open MPI gives no address: give --coordinator=HOST:PORT, --processes=$OMPI_COMM_WORLD_SIZE and '
            '--process=$OMPI_COMM_WORLD_RANK'
        )
    return Place(
        f'{launcher[2]}:{61440 + int(launcher[1]) // 4096 % 4096}',
        count,
        int(variables['OMPI_COMM_WORLD_RANK']),
        int(variables.get('OMPI_COMM_WORLD_LOCAL_SIZE', 1)),
        int(variables.get('OMPI_COMM_WORLD_LOCAL_RANK', 0)),
    )


@contextlib.contextmanager
def joined(place: Place | None, join_timeout: float = 300.0, patience: float = 60.0) -> Iterator[None]:
    """Meanwhile this process is one of several, and is watched by them, as they are by it. Alone, nothing is done.

    All leave together: at the end, at a stop or where the run diverges. By another error this process ends alone, and
    the others, which hear of it, end too. Where one is missing, the process ends here, by a line.

    Args:
        place: of this process.
        join_timeout: seconds in which all must have come.
        patience: seconds that nothing may be heard from one of them.

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
        _part(watch)
        raise
    except BaseException as e:
        if isinstance(e, Exception) and not isinstance(e, UserError):
            watch.suspect()  # JAX's errors of a broken connection have no class of their own
        code = e.exit_code if isinstance(e, UserError) else 1
        watch.announce(code, ' '.join(str(e).split()) or type(e).__name__)
        atexit.register(_leave, watch.leave, code)
        raise
    _part(watch)


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
    watches.append(Watch(processes.client(), place.address, place.index, place.count, patience))
    watches[0].start()
    return watches[0]


def _reach(place: Place, end: float) -> None:
    """Raises ConfigError where process 0 cannot be reached until then, or cannot have its port: JAX would abort."""
    host, _, port = place.address.rpartition(':')
    if place.index == 0:
        try:
            socket.create_server(('', int(port)), family=socket.AF_INET6, dualstack_ipv6=True).close()
        except OSError as e:
            if e.errno != errno.EAFNOSUPPORT:
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
    """Which of the GPUs that are visible are this process's, by their places; None: all.

    Processes of one host share its GPUs evenly, unless each sees but its own.
    """
    each = len(gpus) // place.of_host
    if place.of_host == 1 or not each or 'SLURM_GPUS_PER_TASK' in os.environ:
        return None
    return list(range(place.index_on_host * each, (place.index_on_host + 1) * each))


def _part(watch: Watch) -> None:
    """All leave together."""
    import jax

    from jax_resnet.backend import processes

    processes.meet('the end')
    watch.stop()
    jax.distributed.shutdown()


def _leave(leave: Callable[[], None], code: int) -> None:
    """Ends the process without JAX's farewell, for which it would wait for the others."""
    leave()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
