"""Joins the processes that train one run, and lets them exit together."""

import atexit
import contextlib
import logging
import os
import socket
import sys
import time
from collections.abc import Iterator, Sequence

from jax_resnet.errors import ConfigError, Diverged, Stopped, UserError
from jax_resnet.hosts.gpus import find_gpus
from jax_resnet.hosts.native_output import NativeOutput
from jax_resnet.hosts.place import Place
from jax_resnet.hosts.watch import MISSING, Watch

LEAST_PATIENCE = 5.0
"""Minimum of --patience, in seconds. A process that starts or compiles may be silent for some seconds."""


@contextlib.contextmanager
def joined(place: Place | None, join_timeout: float = 300.0, patience: float = 60.0) -> Iterator[None]:
    """A context that joins the other processes and watches them. If `place` is None, it does nothing.

    After success, a stop or divergence, all processes exit together. After another error, this process tells the
    others, and they exit too. If a process is missing, this one prints a line and exits with code `watch.MISSING`.

    Args:
        place: the place of this process.
        join_timeout: how many seconds to wait for all processes at the start.
        patience: maximum silence of a process, in seconds. After it, the process counts as missing.

    Raises:
        ConfigError: process 0 cannot be reached, its port is in use, or a number of seconds is not valid.
    """
    if place is None:
        yield
        return
    for flag, seconds, least in (('--join-timeout', join_timeout, 1), ('--patience', patience, LEAST_PATIENCE)):
        if not least <= seconds < float('inf'):
            raise ConfigError(f'{flag}={seconds:g}: must be a number of seconds, at least {least:g}')
    watch = _join(place, join_timeout, patience)
    try:
        yield
    except (Stopped, Diverged):
        _shut_down_together(watch)
        raise
    except BaseException as e:
        if isinstance(e, UserError):
            code = e.exit_code
        elif isinstance(e, OSError | MemoryError):
            code = 2
        else:
            code = 1
            if isinstance(e, Exception):
                watch.wait_for_check()  # JAX has no error class for a broken connection
        watch.announce(code, ' '.join(str(e).split()) or type(e).__name__)
        atexit.register(_exit_alone, watch, code)
        raise
    _shut_down_together(watch)


def _join(place: Place, join_timeout: float, patience: float) -> Watch:
    end = time.monotonic() + join_timeout
    _reach(place, end)
    import jax

    from jax_resnet.hosts import processes

    watches: list[Watch] = []

    def line() -> str:
        if watches:
            return watches[0].missing_coordinator_line()
        return (
            f'error: process {place.index} of {place.count}: not all processes have reached {place.address} within '
            f'{join_timeout:.0f} s (--join-timeout)'
        )

    NativeOutput(MISSING, line)
    jax.config.update(
        'jax_enable_preemption_service', False
    )  # it would handle SIGTERM, which `jax_resnet.signals` does
    jax.distributed.initialize(
        place.address,
        place.count,
        place.index,
        local_device_ids=_own_gpus(place, find_gpus()),
        cluster_detection_method='deactivate',
        initialization_timeout=max(1, round(end - time.monotonic())),
        heartbeat_timeout_seconds=round(10 * patience) + 60,  # the watch finds a missing process first
    )
    if place.index:
        logging.getLogger('jax_resnet').setLevel(logging.WARNING)  # only process 0 reports the run's progress
    if jax.default_backend() != 'cpu':
        # The processes choose a GPU's kernels together while they compile. If one of them took its program from a
        # cache, the others would wait for it.
        jax.config.update('jax_compilation_cache_dir', None)
    watches.append(Watch(processes.client(), place.address, place.index, place.count, patience))
    watches[0].start()
    return watches[0]


def _reach(place: Place, end: float) -> None:
    """Raises ConfigError if process 0 cannot be reached before `end`, or if its port is in use. JAX would abort."""
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
    """Returns the positions of this process's GPUs in `gpus`, the GPUs that it can use. None means all of them.

    The processes of a host divide its GPUs evenly, unless each process can use only its own GPUs.
    """
    each, on_host = len(gpus) // place.count_on_host, int(os.environ.get('SLURM_GPUS_ON_NODE', 0))
    if place.count_on_host == 1 or not each or 'SLURM_GPUS_PER_TASK' in os.environ or len(gpus) < on_host:
        return None
    return list(range(place.index_on_host * each, (place.index_on_host + 1) * each))


def _shut_down_together(watch: Watch) -> None:
    import jax

    from jax_resnet.hosts import processes

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
