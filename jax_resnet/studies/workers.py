"""Trains the jobs of a study on this machine: each in its own process, one at a time or one on each GPU."""

import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from typing import Any

from jax_resnet.errors import ConfigError, Stopped
from jax_resnet.runs import schemas
from jax_resnet.runs.run import FINISHED, RUNNING, Run
from jax_resnet.runs.run_folder import RunFolder
from jax_resnet.signals import StopSignals
from jax_resnet.studies.display import Display
from jax_resnet.studies.plan import Job
from jax_resnet.studies.state import describe, prepare, run_of

COMMAND = (sys.executable, '-m', 'jax_resnet.studies.job')
"""The command that trains the run of a folder."""


def train_all(jobs: Sequence[Job], devices: Sequence[str], display: Display) -> dict[Job, str]:
    """Trains jobs, each in its own process.

    Args:
        jobs: the jobs, in this order.
        devices: the GPUs; each trains one job at a time. If empty, one job at a time uses all devices of the machine.
        display: shows the progress of the jobs.

    Returns:
        The reason for each job that failed. The other jobs are trained nevertheless.

    Raises:
        Stopped: SIGINT or SIGTERM came; every run in progress has saved its state.
    """
    with StopSignals() as stop_signals:
        return _Workers(jobs, devices, display, stop_signals).run()


class _Workers:
    def __init__(
        self, jobs: Sequence[Job], devices: Sequence[str], display: Display, stop_signals: StopSignals
    ) -> None:
        self.waiting, self.display, self.stop_signals = list(jobs), display, stop_signals
        self.free: list[str | None] = list(devices) or [None]
        self.active: dict[Job, tuple[subprocess.Popen, str | None]] = {}
        self.events: queue.Queue[tuple[Job, dict[str, Any] | None]] = queue.Queue()
        self.failed: dict[Job, str] = {}

    def run(self) -> dict[Job, str]:
        stopping = False
        while self.active or (self.waiting and not stopping):
            while self.waiting and self.free and not stopping:
                self._start(self.waiting.pop(0), self.free.pop(0))
            try:
                job, line = self.events.get(timeout=0.2)
                if line is None:
                    self._end(job)
                else:
                    self.display.progressed(job, line)
            except queue.Empty:
                pass
            if self.stop_signals.received is not None and not stopping:
                stopping = True
                for process, _ in self.active.values():
                    process.send_signal(signal.SIGTERM)
        number = self.stop_signals.received
        if number is not None:
            name = signal.Signals(number).name
            raise Stopped(
                number, f'stopped by {name}; every run in progress has saved its state; the same command continues'
            )
        return self.failed

    def _start(self, job: Job, device: str | None) -> None:
        run = run_of(job)  # another study may share it
        if run.state in (FINISHED, RUNNING):
            self.free.append(device)
            self.display.ended(job, _by_another_program(run), run.state == FINISHED)
            return
        environment = dict(os.environ) if device is None else {**os.environ, 'CUDA_VISIBLE_DEVICES': device}
        try:
            prepare(job)
            log = RunFolder(job.folder).log
            log.write_bytes(b'')
            stderr = log.open('a')  # another study may start the same job at this moment
        except (ConfigError, OSError) as e:  # the folder holds another run, or cannot be written
            self.failed[job] = str(e)
            self.free.append(device)
            self.display.ended(job, str(e), is_finished=False)
            return
        with stderr:
            process = subprocess.Popen(
                [*COMMAND, str(job.folder)],
                stdin=subprocess.PIPE,  # it closes when this process ends, even by SIGKILL
                stdout=subprocess.PIPE,
                stderr=stderr,
                env=environment,
                start_new_session=True,  # Ctrl-C reaches only this process, which signals the job
                text=True,
                errors='replace',
            )
        self.active[job] = (process, device)
        self.display.started(job, device)
        threading.Thread(target=self._listen, args=(job, process), daemon=True).start()

    def _listen(self, job: Job, process: subprocess.Popen) -> None:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                with contextlib.suppress(ConfigError):  # a library printed this line
                    self.events.put((job, schemas.parse(line.encode(), schemas.ProgressLine, job.name)))
        finally:
            self.events.put((job, None))

    def _end(self, job: Job) -> None:
        process, device = self.active.pop(job)
        code = process.wait()
        for pipe in (process.stdin, process.stdout):
            assert pipe is not None
            pipe.close()
        self.free.append(device)
        run = run_of(job)
        text = describe(run)
        if run.state == RUNNING:
            text = _by_another_program(run)
        elif run.state != FINISHED and self.stop_signals.received is None:
            text = self.failed[job] = run.failure or _last_line(job) or f'exit code {code}'
        self.display.ended(job, text, run.state == FINISHED)


def _by_another_program(run: Run) -> str:
    return f'another program {"has trained" if run.state == FINISHED else "is training"} it, {describe(run)}'


def _last_line(job: Job) -> str:
    lines = RunFolder(job.folder).log.read_text(errors='replace').splitlines()
    return lines[-1].removeprefix('error: ') if lines else ''
