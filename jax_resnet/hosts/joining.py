"""Joins the processes that train one run, and lets them exit together. JAX notices a missing process."""

import atexit
import contextlib
import logging
import os
import re
import socket
import sys
import time
from collections.abc import Iterator, Sequence

from jax_resnet.errors import ConfigError, Disconnected, Stopped, UserError, reason
from jax_resnet.hosts.rank import Rank, find_gpus

LOST = re.compile(
    'gloo|nccl|heartbeat|barrier|connection|UNAVAILABLE|DEADLINE_EXCEEDED|ABORTED|CANCELLED', re.IGNORECASE
)
"""What errors of JAX say if another process is missing. Gloo connects CPUs, NCCL connects GPUs."""

SECONDS_TO_FAIL_TOGETHER = 3
"""How long a process with an error waits for the others to have one, too. So each can print its own line."""


@contextlib.contextmanager
def joined(rank: Rank | None, join_timeout: int, patience: int) -> Iterator[None]:
    """A context that joins the other processes. If `rank` is None, it does nothing.

    Without errors, all processes exit together. A process with an error exits alone. The others then miss it: JAX
    aborts them, or an exchange fails. JAX also aborts if a process does not join in time.

    Args:
        rank: the rank of this process.
        join_timeout: how many seconds to wait for all processes at the start.
        patience: maximum silence of a process, in seconds. After it, JAX aborts the others.

    Raises:
        ConfigError: process 0 cannot be reached, its port is in use, or a number of seconds is too small.
        Disconnected: an exchange with another process has failed.
    """
    if rank is None:
        yield
        return
    for flag, seconds, least in (('--join-timeout', join_timeout, 1), ('--patience', patience, 5)):
        if seconds < least:
            raise ConfigError(f'{flag}={seconds}: must be a number of seconds, at least {least}')
    _join(rank, join_timeout, patience)
    import jax

    try:
        try:
            yield
        except (jax.errors.JaxRuntimeError, ValueError) as e:
            if isinstance(e, UserError) or not LOST.search(str(e)):
                raise
            raise Disconnected(
                f'process {rank.index} of {rank.count}: another process is missing ({reason(e)}); '
                'the same command continues from the last checkpoint'
            ) from e
    except BaseException as e:
        try:
            _leave_together('an error', None if isinstance(e, Stopped) else SECONDS_TO_FAIL_TOGETHER)
        except jax.errors.JaxRuntimeError:
            # The others have no error. JAX's own shutdown would wait for them. Python exits in this way instead, after
            # the error is printed.
            code = e.exit_code if isinstance(e, UserError) else 2 if isinstance(e, OSError | MemoryError) else 1
            atexit.register(_exit, code)
        raise
    _leave_together('the end', None)


def _leave_together(point: str, seconds: float | None) -> None:
    """Waits until all processes are at this point, and leaves them. After `seconds`, raises JaxRuntimeError."""
    import jax

    from jax_resnet.hosts import processes

    processes.barrier(point, seconds)
    jax.distributed.shutdown()


def _join(rank: Rank, join_timeout: int, patience: int) -> None:
    end = time.monotonic() + join_timeout
    _reach(rank, end)
    import jax

    # JAX's preemption service would handle SIGTERM, which `jax_resnet.signals` does.
    jax.config.update('jax_enable_preemption_service', False)
    jax.distributed.initialize(  # it aborts if not all processes have joined in time
        rank.address,
        rank.count,
        rank.index,
        local_device_ids=_own_gpus(rank, find_gpus()),
        cluster_detection_method='deactivate',
        initialization_timeout=max(1, round(end - time.monotonic())),
        heartbeat_timeout_seconds=patience,
        shutdown_timeout_seconds=SECONDS_TO_FAIL_TOGETHER,
    )
    if rank.index:
        logging.getLogger('jax_resnet').setLevel(logging.WARNING)  # only process 0 reports the run's progress
    if jax.default_backend() != 'cpu':
        # The processes choose a GPU's kernels together while they compile. If one of them took its program from a
        # cache, the others would wait for it.
        jax.config.update('jax_compilation_cache_dir', None)


def _reach(rank: Rank, end: float) -> None:
    """Raises ConfigError if process 0 cannot be reached before `end`, or if its port is in use. JAX would abort."""
    host, _, port = rank.address.rpartition(':')
    if rank.index == 0:
        both = socket.has_dualstack_ipv6()
        family = socket.AF_INET6 if both else socket.AF_INET
        try:
            socket.create_server(('', int(port)), family=family, dualstack_ipv6=both).close()
        except OSError as e:
            raise ConfigError(f'process 0: cannot listen at {rank.address} ({e.strerror})') from None
        return
    while True:
        try:
            socket.create_connection((host.strip('[]'), int(port)), timeout=5).close()
            return
        except OSError as e:
            if time.monotonic() > end:
                raise ConfigError(
                    f'process {rank.index} of {rank.count}: cannot reach process 0 at {rank.address} '
                    f'({e.strerror or e})'
                ) from None
        time.sleep(0.5)


def _own_gpus(rank: Rank, gpus: Sequence[str]) -> list[int] | None:
    """Returns the positions of this process's GPUs in `gpus`, the GPUs that it can use. None means all of them.

    The processes of a host divide its GPUs evenly, unless each process can use only its own GPUs.
    """
    each, on_host = len(gpus) // rank.count_on_host, int(os.environ.get('SLURM_GPUS_ON_NODE', 0))
    if rank.count_on_host == 1 or not each or 'SLURM_GPUS_PER_TASK' in os.environ or len(gpus) < on_host:
        return None
    return list(range(rank.index_on_host * each, (rank.index_on_host + 1) * each))


def _exit(code: int) -> None:
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)
