"""Runs of a study on this machine: each a process of its own, one at a time, or one on each GPU."""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from typing import Any

from jax_resnet.errors import ConfigError, Stopped
from jax_resnet.runs.run_folder import RunFolder
from jax_resnet.signals import StopSignals
from jax_resnet.studies.display import Display
from jax_resnet.studies.plan import Run
from jax_resnet.studies.state import FINISHED, prepare, state_of

COMMAND = (sys.executable, '-m', 'jax_resnet.studies.job')
"""Trains the run of a folder."""


def find_gpus() -> list[str]:
    """The GPUs that runs may use: those of CUDA_VISIBLE_DEVICES, else all that `nvidia-smi` lists."""
    visible = os.environ.get('CUDA_VISIBLE_DEVICES')
    if visible is not None:
        return [name for name in visible.split(',') if name]
    try:
        query = ['nvidia-smi', '--query-gpu=index', '--format=csv,noheader']
        return subprocess.run(query, capture_output=True, text=True, check=True).stdout.split()
    except (OSError, subprocess.CalledProcessError):
        return []


def train_all(runs: Sequence[Run], devices: Sequence[str], display: Display) -> dict[Run, str]:
    """Trains runs, each in a process of its own.

    Args:
        runs: to train, in this order.
        devices: GPUs, each of which trains one run at a time; none: one run at a time on whatever there is.
        display: shows how they are doing.

    Returns:
        Why it failed, of each run that did; the others go on.

    Raises:
        Stopped: by SIGINT or SIGTERM, after every run in progress has saved its state.
    """
    with StopSignals() as stop_signals:
        return _Workers(runs, devices, display, stop_signals).go()


class _Workers:
    def __init__(
        self, runs: Sequence[Run], devices: Sequence[str], display: Display, stop_signals: StopSignals
    ) -> None:
        self.waiting, self.display, self.stop_signals = list(runs), display, stop_signals
        self.free: list[str | None] = list(devices) or [None]
        self.active: dict[Run, tuple[subprocess.Popen, str | None]] = {}
        self.events: queue.Queue[tuple[Run, dict[str, Any] | None]] = queue.Queue()
        self.failed: dict[Run, str] = {}

    def go(self) -> dict[Run, str]:
        stopping = False
        while self.active or (self.waiting and not stopping):
            while self.waiting and self.free and not stopping:
                self._start(self.waiting.pop(0), self.free.pop(0))
            try:
                run, line = self.events.get(timeout=0.2)
                if line is None:
                    self._end(run)
                else:
                    self.display.progressed(run, line)
            except queue.Empty:
                pass
            if self.stop_signals.received is not None and not stopping:
                stopping = True
                for process, _ in self.active.values():
                    process.send_signal(signal.SIGTERM)
        number = self.stop_signals.received
        if number is not None:
            name = signal.Signals(number).name
            raise Stopped(number, f'stopped by {name}, every run in progress saved; the same command continues')
        return self.failed

    def _start(self, run: Run, device: str | None) -> None:
        environment = dict(os.environ) if device is None else {**os.environ, 'CUDA_VISIBLE_DEVICES': device}
        try:
            prepare(run)
        except ConfigError as e:  # another run lies there
            self.failed[run] = str(e)
            self.free.append(device)
            self.display.ended(run, str(e), is_finished=False)
            return
        with (run.folder / 'log.txt').open('w') as log:
            process = subprocess.Popen(
                [*COMMAND, str(run.folder)],
                stdin=subprocess.PIPE,  # it ends when this process does, whichever way
                stdout=subprocess.PIPE,
                stderr=log,
                env=environment,
                start_new_session=True,  # Ctrl-C reaches this process alone, which tells the run
                text=True,
            )
        self.active[run] = (process, device)
        self.display.started(run, device)
        threading.Thread(target=self._listen, args=(run, process), daemon=True).start()

    def _listen(self, run: Run, process: subprocess.Popen) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith('{'):
                self.events.put((run, json.loads(line)))
        self.events.put((run, None))

    def _end(self, run: Run) -> None:
        process, device = self.active.pop(run)
        code = process.wait()
        for pipe in (process.stdin, process.stdout):
            assert pipe is not None
            pipe.close()
        self.free.append(device)
        state = state_of(run)
        if state.name != FINISHED and self.stop_signals.received is None:
            self.failed[run] = RunFolder(run.folder).failure() or _last_line(run) or f'exit code {code}'
        self.display.ended(run, self.failed.get(run) or state.detail, state.name == FINISHED)


def _last_line(run: Run) -> str:
    lines = (run.folder / 'log.txt').read_text().splitlines()
    return lines[-1].removeprefix('error: ') if lines else ''
