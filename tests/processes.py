"""Processes that train one run together, on this machine: `main.py` several times, as a user would start it."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

ROOT = Path(__file__).parents[1]

SMALL = (
    *('--config=configs/resnet20_digits.py', '--config.model.depth=8', '--config.batch_size=32'),
    *('--config.batch_norm.group_size=16', '--config.train_for=40 steps', '--config.evaluate_every=10 steps'),
    *('--config.checkpoint_every=5 steps', '--config.log_every=1 steps'),
)
"""A ResNet-8 on the digits, which steps and evaluates in a moment."""


class Ended(NamedTuple):
    """How a process ended."""

    code: int
    output: str
    errors: str


class Several:
    """Starts processes; leaving it kills those that are left.

    Args:
        count, devices: of processes, and of CPU devices of each.
        folder: for their output.
        arguments: of `main.py`; one list for all, or a function of the process.
        host: of process 0.
        within: what comes before the command of a process, such as `ip netns exec NAME`.
    """

    def __init__(
        self,
        count: int,
        devices: int,
        folder: Path,
        arguments: Sequence[str] | Callable[[int], Sequence[str]],
        host: str = '127.0.0.1',
        within: Callable[[int], Sequence[str]] = lambda index: (),
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        place = (f'--coordinator={host}:{free_port()}', f'--processes={count}') if count > 1 else ()
        environment = {**os.environ, 'JAX_PLATFORMS': 'cpu', 'JAX_NUM_CPU_DEVICES': str(devices)}
        self.outputs = [(folder / f'output{index}', folder / f'errors{index}') for index in range(count)]
        self.processes = []
        for index, (output, errors) in enumerate(self.outputs):
            own = arguments(index) if callable(arguments) else arguments
            command = [*within(index), sys.executable, 'main.py', *own, *place]
            command += [f'--process={index}'] if count > 1 else []
            with output.open('w') as out, errors.open('w') as err:
                self.processes.append(
                    subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=err, env=environment, start_new_session=True)
                )

    def __enter__(self) -> 'Several':
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for process in self.processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def wait_for(self, begin: str, seconds: float = 120.0) -> None:
        """Until process 0 has printed a line that begins so."""
        end = time.monotonic() + seconds
        while not any(line.startswith(begin) for line in self.outputs[0][0].read_text().splitlines()):
            assert time.monotonic() < end and self.processes[0].poll() is None, self.texts()
            time.sleep(0.02)

    def send(self, index: int, number: int) -> None:
        """A signal to one of them."""
        self.processes[index].send_signal(number)

    def wait(self, seconds: float = 120.0) -> list[Ended]:
        """How each has ended; one that has not by then fails the test."""
        end = time.monotonic() + seconds
        for index, process in enumerate(self.processes):
            try:
                process.wait(max(0.1, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                raise AssertionError(f'process {index} has not ended: {self.texts()}') from None
        texts = self.texts()
        return [Ended(process.returncode, *text) for process, text in zip(self.processes, texts, strict=True)]

    def texts(self) -> list[tuple[str, str]]:
        """What each has printed so far."""
        return [(output.read_text(), errors.read_text()) for output, errors in self.outputs]


def free_port() -> int:
    """A port that nothing listens at."""
    with socket.socket() as listener:
        listener.bind(('', 0))
        return int(listener.getsockname()[1])
