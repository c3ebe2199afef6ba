"""Starts Python in new processes: one, or several of `main.py` that train one run together."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType

from tests.conftest import Ended

ROOT = Path(__file__).parents[2]

SMALL = (
    *('--config=configs/resnet20_digits.py', '--config.model.depth=8', '--config.batch_size=32'),
    *('--config.batch_norm.group_size=16', '--config.train_for=40 steps', '--config.evaluate_every=10 steps'),
    *('--config.checkpoint_every=5 steps', '--config.log_every=1 steps'),
)
"""Trains a ResNet-8 on the digits. Steps and evaluations are short."""


def python(*words: str | Path, cwd: Path = ROOT, **environment: str) -> Ended:
    """Runs Python with some arguments, and returns how it has ended."""
    command, variables = [sys.executable, *words], os.environ | environment
    done = subprocess.run(command, cwd=cwd, env=variables, capture_output=True, text=True, timeout=600)
    return Ended(done.returncode, done.stdout, done.stderr)


def printed(*words: str | Path, cwd: Path = ROOT, **environment: str) -> str:
    """Returns what Python prints, if it ends without an error."""
    ended = python(*words, cwd=cwd, **environment)
    assert ended.code == 0, ended.err
    return ended.out


class ProcessGroup:
    """A context that starts processes, and at its end kills those that still run.

    Args:
        count: number of processes.
        devices: number of CPU devices of each process.
        folder: folder for the processes' output.
        arguments: arguments of `main.py`: one list for all processes, or a function of the process's index.
    """

    def __init__(
        self, count: int, devices: int, folder: Path, arguments: Sequence[str] | Callable[[int], Sequence[str]]
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        place = (f'--coordinator=127.0.0.1:{free_port()}', f'--processes={count}') if count > 1 else ()
        environment = {**os.environ, 'JAX_PLATFORMS': 'cpu', 'JAX_NUM_CPU_DEVICES': str(devices)}
        self.outputs = [(folder / f'output{index}', folder / f'errors{index}') for index in range(count)]
        self.processes = []
        for index, (output, errors) in enumerate(self.outputs):
            own = arguments(index) if callable(arguments) else arguments
            command = [sys.executable, 'main.py', *own, *place]
            if count > 1:
                command.append(f'--process={index}')
            with output.open('w') as out, errors.open('w') as err:
                self.processes.append(
                    subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=err, env=environment, start_new_session=True)
                )

    def __enter__(self) -> 'ProcessGroup':
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for process in self.processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def wait_for(self, begin: str, seconds: float = 120.0) -> None:
        """Waits until process 0 has printed a line that begins with `begin`."""
        end = time.monotonic() + seconds
        while not any(line.startswith(begin) for line in self.outputs[0][0].read_text().splitlines()):
            assert time.monotonic() < end and self.processes[0].poll() is None, self.texts()
            time.sleep(0.02)

    def wait(self, seconds: float = 300.0) -> list[Ended]:
        """Waits for all processes, and returns how each has ended. Fails the test if one still runs after `seconds`."""
        end = time.monotonic() + seconds
        for index, process in enumerate(self.processes):
            try:
                process.wait(max(0.1, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                raise AssertionError(f'process {index} has not ended: {self.texts()}') from None
        texts = self.texts()
        return [Ended(process.returncode, *text) for process, text in zip(self.processes, texts, strict=True)]

    def texts(self) -> list[tuple[str, str]]:
        """Returns what each process has printed: standard output and standard error."""
        return [(output.read_text(), errors.read_text()) for output, errors in self.outputs]


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(('', 0))
        return int(listener.getsockname()[1])
