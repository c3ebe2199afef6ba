"""Times the same training step here and in PyTorch, alternately; and measures the rates of the chip that limit it."""

import contextlib
import itertools
import math
import multiprocessing
import os
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from networks import begun, many_examples, synthetic

os.environ.setdefault('XLA_PYTHON_CLIENT_PREALLOCATE', 'false')  # leaves a GPU's memory to the other processes

START = 'start'
"""The message that asks a process of `in_a_process` for the seconds of its start."""

Run = Callable[..., float]
"""A function that runs some steps (their number may be an argument) and returns the seconds for each step."""


def ours(network: str, batch_size: int, steps: int, size: int = 32, **changes: Any) -> Run:
    """Returns our training: with augmentation, and several steps for each dispatch. For `changes` see `synthetic`."""
    import jax

    if jax.devices()[0].platform == 'gpu':
        changes['examples'] = many_examples(batch_size, size)
    program, state = begun(*synthetic(network, batch_size, size, **changes))

    def run(steps: int = steps) -> float:
        nonlocal state
        first, began = int(state.step), time.perf_counter()
        while int(state.step) < first + steps:
            state = jax.block_until_ready(program(state, first + steps))
        return (time.perf_counter() - began) / steps

    return run


def rounds_in_turn(runs: Mapping[str, Run], pause: float = 0.5) -> Iterator[dict[str, float]]:
    """Yields the seconds of each run, round by round. A round calls each run twice, and times the second call.

    Before each run is a pause of `pause` seconds, because OpenMP's threads still use the cores after their work.

    The first call restores what a run lost while the others ran: the operating system may have taken back its freed
    memory, and the others have filled the caches. A real training has no such breaks.
    """
    for run in runs.values():
        run()
    while True:
        seconds = {}
        for name, run in runs.items():
            time.sleep(pause)
            run()
            seconds[name] = run()
        yield seconds


def medians(rounds: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Returns the median seconds of each name."""
    return {name: statistics.median(one[name] for one in rounds) for name in rounds[0]}


def in_turn(runs: Mapping[str, Run], rounds: int, pause: float = 0.5) -> dict[str, float]:
    """Returns the median seconds of each run over so many rounds."""
    return medians(list(itertools.islice(rounds_in_turn(runs, pause), rounds)))


def spread(numbers: Sequence[float]) -> float:
    """Returns the uncertainty of the median: half the width of its 95 % interval (order statistics), over the median.

    With fewer than six numbers it is infinity: no two of them enclose such an interval.
    """
    ordered, n = sorted(numbers), len(numbers)
    left_out, tail = 0, 2.0**-n  # the chance that all numbers are on one side of the true median
    while tail <= 0.025:
        left_out += 1
        tail += math.comb(n, left_out) * 2.0**-n
    if not left_out:
        return math.inf
    return (ordered[-left_out] - ordered[left_out - 1]) / 2 / statistics.median(ordered)


class Load:
    """Measures what else runs on this machine during a `with` block: the load before it, and CPU time of others.

    Child processes count as ours only if they have ended. It needs Linux; elsewhere `found` is empty.
    """

    def __enter__(self) -> 'Load':
        self.before, self.began = self._now(), time.perf_counter()
        self.average = os.getloadavg()[0] if hasattr(os, 'getloadavg') else None
        return self

    def __exit__(self, *_: Any) -> None:
        self.after, self.ended = self._now(), time.perf_counter()

    def found(self) -> dict[str, float]:
        """Returns `load_before`, a minute's average, and `others` and `host`, the cores that these used."""
        if self.before is None or self.after is None:
            return {}
        busy, stolen, ours = (after - before for before, after in zip(self.before, self.after, strict=True))
        cores = {'others': max(0.0, busy - ours), 'host': stolen}
        took = {name: round(seconds / (self.ended - self.began), 3) for name, seconds in cores.items()}
        return {'load_before': self.average or 0.0, **took}

    def __str__(self) -> str:
        found = self.found()
        if not found:
            return 'the load by other programs is not known on this system'
        return (
            f'load before: {found["load_before"]:.2f}; meanwhile other processes used {found["others"]:.2f} cores, and '
            f'the host of this virtual machine {found["host"]:.2f}'
        )

    @staticmethod
    def _now() -> tuple[float, float, float] | None:
        """Returns CPU seconds: of all cores while busy; taken by the host; of this process and its ended children."""
        try:
            cpu = Path('/proc/stat').read_text().splitlines()[0].split()[1:]
        except OSError:
            return None
        user, nice, system, _, _, irq, softirq, steal = (int(x) / os.sysconf('SC_CLK_TCK') for x in cpu[:8])
        times = os.times()
        return user + nice + system + irq + softirq, steal, sum(times[:4])


@contextlib.contextmanager
def in_a_process(make: Callable[..., Callable], *arguments: Any, **options: Any) -> Iterator[Callable]:
    """Runs the function that `make` returns in its own process, so that peers share neither threads nor memory.

    The function that this yields has an attribute `start_seconds`: a function that returns the seconds of `make` and of
    the first call. A library that compiles at the first call does so in them.
    """
    context = multiprocessing.get_context('spawn')
    parent, child = context.Pipe()
    process = context.Process(target=_serve, args=(child, make, arguments, options))  # it may have children
    process.start()
    child.close()  # so that the end of the process ends `recv`

    def ask(message: Any) -> Any:
        try:
            parent.send(message)
            return parent.recv()
        except (BrokenPipeError, ConnectionResetError, EOFError):
            raise RuntimeError(f'the process of {make.__name__} has failed; its error is above') from None

    def run(*arguments: Any) -> Any:
        return ask(arguments)

    def start_seconds() -> float:
        return float(ask(START))

    run.start_seconds = start_seconds
    try:
        yield run
    finally:
        with contextlib.suppress(BrokenPipeError):  # the process has failed
            parent.send(None)
        process.join()


def _serve(pipe: Any, make: Callable[..., Callable], arguments: tuple, options: dict[str, Any]) -> None:
    began, first = time.perf_counter(), 0.0
    run = make(*arguments, **options)
    made = time.perf_counter() - began
    while (given := pipe.recv()) is not None:
        if given == START:
            pipe.send(made + first)
            continue
        began = time.perf_counter()
        result = run(*given)
        first = first or time.perf_counter() - began
        pipe.send(result)


def matrix_rate(dtype: str) -> float:
    """Measures the multiply-adds a second of one large matrix product."""
    import jax

    n = 8192 if jax.devices()[0].platform == 'gpu' else 2048
    x = jax.random.normal(jax.random.key(0), (n, n), dtype)  # products of constants are faster
    return n**3 / _seconds(jax.jit(lambda x: x @ x), x)


def copy_rate() -> float:
    """Measures the bytes a second, read and written, of one pass over an array much larger than any cache."""
    import jax
    import jax.numpy as jnp

    x = jnp.ones(2**28 if jax.devices()[0].platform == 'gpu' else 2**26)
    return 2 * x.nbytes / _seconds(jax.jit(lambda x: x + 1), x)


def _seconds(function: Callable, x: Any) -> float:
    import jax

    pause = 0.0 if jax.devices()[0].platform == 'gpu' else 0.5

    def run() -> float:
        began = time.perf_counter()
        jax.block_until_ready(function(x))
        return time.perf_counter() - began

    return in_turn({'run': run}, 7, pause)['run']


def versions() -> dict[str, str]:
    """Returns the versions of the packages, and the device."""
    import importlib.metadata

    import jax

    found = {'jax': jax.__version__}
    for name in ('torch', 'flax'):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = 'not installed'
    device = jax.devices()[0].device_kind
    return {**found, 'device': device + (f' ({os.cpu_count()} cores)' if device == 'cpu' else '')}
