"""Trains the jobs of a study on this machine: each is `main.py` in its own process, one at a time or one on each GPU.

How far a run is, the study reads from its folder.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from math import inf

from jax_resnet.errors import ConfigError, Stopped
from jax_resnet.runs.environment import HUGE_PAGES
from jax_resnet.runs.run import FINISHED, RUNNING
from jax_resnet.runs.run_folder import RunFolder
from jax_resnet.signals import StopSignals
from jax_resnet.studies.plan import Job
from jax_resnet.studies.progress import Display, Estimate, read_run

COMMAND = (sys.executable, '-m', 'jax_resnet', 'train')
"""The command that trains a run, without the arguments of the job."""

MEASURED = 60.0
"""For how many seconds a run is trained to learn the speed of its network."""

SECONDS_BETWEEN_LOOKS = 1.0
"""How long the study waits until it looks again how far its runs are."""

_ENDS_WITH_PARENT = (
    'import ctypes, os, sys\n'
    'if sys.platform == "linux": ctypes.CDLL(None).prctl(1, 15)\n'  # PR_SET_PDEATHSIG, SIGTERM
    'os.execv(sys.argv[1], sys.argv[1:])'
)
"""A program that becomes that of its arguments, which on Linux gets a SIGTERM when the study ends, even by SIGKILL."""


@dataclass(eq=False)
class _Active:
    """A run in progress.

    Attributes:
        job: its job.
        process: its process.
        slot: the index of its line on the screen, and its GPU or None.
        began: when it was started.
        first: when it had made its first steps, and their number.
        share: how much of it is done, from 0 to 1.
        is_stopping: whether it was told to stop.
    """

    job: Job
    process: subprocess.Popen
    slot: tuple[int, str | None]
    began: float
    first: tuple[float, int] | None = None
    share: float = 0.0
    is_stopping: bool = False


def train_all(jobs: Sequence[Job], devices: Sequence[str]) -> dict[Job, str]:
    """Trains jobs, and says how long this takes. Each network of unknown speed is trained for a minute before.

    Args:
        jobs: the jobs, in this order.
        devices: the GPUs; each trains one job at a time. If empty, one job at a time uses all devices of the machine.

    Returns:
        The reason for each job that failed. The other jobs are trained nevertheless.

    Raises:
        Stopped: SIGINT or SIGTERM came; every run in progress has saved its state.
    """
    with StopSignals() as stop_signals, closing(Display(len(devices) or 1)) as display:
        workers = _Workers(jobs, devices, display, stop_signals)
        unknown = workers.estimate.unknown(jobs)
        if unknown:
            networks = '1 network' if len(unknown) == 1 else f'{len(unknown)} networks'
            display.say(f'measuring the speed of {networks}: a minute of the first run of each')
            workers.run(unknown, MEASURED)
        left = [job for job in jobs if job not in workers.ended]
        if left:
            display.say(f'the study takes {workers.time_left()} from now')
            workers.run(left)
        return workers.failed


class _Workers:
    def __init__(
        self, jobs: Sequence[Job], devices: Sequence[str], display: Display, stop_signals: StopSignals
    ) -> None:
        self.jobs, self.display, self.stop_signals = jobs, display, stop_signals
        self.free: list[tuple[int, str | None]] = [*enumerate(devices or [None])]
        self.count, self.estimate = len(self.free), Estimate()
        self.active: list[_Active] = []
        self.ended: set[Job] = set()
        self.failed: dict[Job, str] = {}

    def run(self, jobs: Sequence[Job], seconds: float = inf) -> None:
        """Trains jobs until they end, or each for some seconds."""
        waiting = list(jobs)
        while self.active or (waiting and self.stop_signals.received is None):
            while waiting and self.free and self.stop_signals.received is None:
                self._start(waiting.pop(0))
            for one in [*self.active]:
                if one.process.poll() is not None:
                    self._end(one)
                elif (self._look(one) > seconds or self.stop_signals.received is not None) and not one.is_stopping:
                    one.process.terminate()
                    one.is_stopping = True
            done = len(self.ended) + sum(one.share for one in self.active)
            text = f'{len(self.ended)} of {len(self.jobs)} runs, {self.time_left()} left'
            self.display.show_study(done / len(self.jobs), text)
            time.sleep(SECONDS_BETWEEN_LOOKS)
        number = self.stop_signals.received
        if number is not None:
            name = signal.Signals(number).name
            raise Stopped(
                number, f'stopped by {name}; every run in progress has saved its state; the same command continues'
            )

    def time_left(self) -> str:
        """The time that all jobs still take."""
        return self.estimate.time([job for job in self.jobs if job not in self.ended], self.count)

    def _start(self, job: Job) -> None:
        run = read_run(job)  # another study may share it
        if run.state in (FINISHED, RUNNING):
            self._tell_end(job, str(run))
            return
        index, device = slot = self.free.pop(0)
        folder, where = RunFolder(job.folder), '' if device is None else f' on GPU {device}'
        if device is None:
            environment = {'GLIBC_TUNABLES': HUGE_PAGES, **os.environ}
        else:
            environment = {**os.environ, 'CUDA_VISIBLE_DEVICES': device}
        try:
            folder.open(job.config, job.file, job.changes)
            output = folder.log.open('a')
        except (ConfigError, OSError) as e:  # the folder holds another run, or cannot be written
            self.free.append(slot)
            self._tell_end(job, str(e), has_failed=True)
            return
        with output:
            process = subprocess.Popen(
                [sys.executable, '-c', _ENDS_WITH_PARENT, *COMMAND, *job.arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,  # Ctrl-C reaches only the study, which signals the run
            )
        self.active.append(_Active(job, process, slot, time.time()))
        self.display.started(index, f'{job.name}{where}')

    def _look(self, one: _Active) -> float:
        """Reads how far a run is. Returns for how many seconds it has been trained since it was started."""
        found = RunFolder(one.job.folder).progress()
        if found is None or found[1] < one.began:
            return 0.0
        progress, now = found
        first_time, first_step = one.first = one.first or (now, progress['step'])
        if progress['step'] > first_step:
            self.estimate.learn(one.job.config, (now - first_time) / (progress['step'] - first_step))
        one.share = progress['step'] / progress['end']
        details = f'epoch {progress["epoch"]:.1f}, train error {progress["train_error"]:.1f} %'
        self.display.show(one.slot[0], f'{one.job.name}: {100 * one.share:.0f} %, {details}')
        return now - first_time

    def _end(self, one: _Active) -> None:
        job, run = one.job, read_run(one.job)
        self.active.remove(one)
        self.free.append(one.slot)
        self.display.show(one.slot[0], '')
        if run.state == FINISHED:  # with its start, its compilation and its evaluations
            self.estimate.learn(job.config, run.summary['seconds'] / run.summary['steps'])
        if run.state in (FINISHED, RUNNING):
            self._tell_end(job, str(run))
        elif not one.is_stopping:
            reason = run.failure or _reason(job, one.process.returncode)
            RunFolder(job.folder).write_failure(reason)
            self._tell_end(job, reason, has_failed=True)

    def _tell_end(self, job: Job, text: str, has_failed: bool = False) -> None:
        self.ended.add(job)
        if has_failed:
            self.failed[job] = text
        outcome = f'failed: {text}' if has_failed else text
        self.display.say(f'[{len(self.ended)}/{len(self.jobs)}] {job.name}: {outcome}; {self.time_left()} left')


def _reason(job: Job, code: int) -> str:
    """Says why a run ended that wrote no reason."""
    if code < 0:  # the system sends SIGKILL if it lacks memory
        return f'killed by {signal.Signals(-code).name}; perhaps it lacked memory'
    lines = RunFolder(job.folder).log.read_text(errors='replace').splitlines()
    return lines[-1].removeprefix('error: ') if lines else f'exit code {code}'
