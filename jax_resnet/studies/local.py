"""Trains the jobs of a study on this machine: each is `main.py` in its own process, one at a time or one on each GPU.

How far a run is, the study reads from its folder.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
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
"""How long the study waits until it looks again how far a run is."""

_ENDS_WITH_PARENT = (
    'import ctypes, os, sys\n'
    'if sys.platform == "linux": ctypes.CDLL(None).prctl(1, 15)\n'  # PR_SET_PDEATHSIG, SIGTERM
    'os.execv(sys.argv[1], sys.argv[1:])'
)
"""A program that becomes that of its arguments, which on Linux gets a SIGTERM when the study ends, even by SIGKILL."""


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
        training = _Training(jobs, devices, display, stop_signals)
        unknown = training.estimate.unknown(jobs)
        if unknown:
            networks = '1 network' if len(unknown) == 1 else f'{len(unknown)} networks'
            display.say(f'measuring the speed of {networks}: a minute of the first run of each')
            training.run(unknown, MEASURED)
        left = [job for job in jobs if job not in training.ended]
        if left:
            display.say(f'the study takes {training.time_left()} from now')
            training.run(left)
        return training.failed


class _Training:
    def __init__(
        self, jobs: Sequence[Job], devices: Sequence[str], display: Display, stop_signals: StopSignals
    ) -> None:
        self.jobs, self.display, self.stop_signals, self.estimate = jobs, display, stop_signals, Estimate()
        self.devices: Sequence[str | None] = devices or [None]
        self.shares: dict[Job, float] = {}  # how much is done of the jobs in progress
        self.ended: set[Job] = set()
        self.failed: dict[Job, str] = {}

    def run(self, jobs: Sequence[Job], seconds: float = inf) -> None:
        """Trains jobs until they end, or each for some seconds."""
        waiting = [*jobs]
        workers = [self._work(waiting, seconds, line, device) for line, device in enumerate(self.devices)]
        while workers:
            workers = [worker for worker in workers if next(worker, 'ended') != 'ended']
            done = (len(self.ended) + sum(self.shares.values())) / len(self.jobs)
            self.display.show_study(done, f'{len(self.ended)} of {len(self.jobs)} runs, {self.time_left()} left')
            time.sleep(SECONDS_BETWEEN_LOOKS)
        number = self.stop_signals.received
        if number is not None:
            name = signal.Signals(number).name
            raise Stopped(
                number, f'stopped by {name}; every run in progress has saved its state; the same command continues'
            )

    def time_left(self) -> str:
        """The time that all jobs still take."""
        return self.estimate.time([job for job in self.jobs if job not in self.ended], len(self.devices))

    def _work(self, waiting: list[Job], seconds: float, line: int, device: str | None) -> Iterator[None]:
        """Trains waiting jobs one after the other. Yields after each look at a run."""
        while waiting and self.stop_signals.received is None:
            yield from self._train(waiting.pop(0), seconds, line, device)

    def _train(self, job: Job, seconds: float, line: int, device: str | None) -> Iterator[None]:
        run, folder = read_run(job), RunFolder(job.folder)
        if run.state in (FINISHED, RUNNING):  # by another study, which shares it
            self._tell_end(job, str(run))
            return
        try:
            folder.open(job.config, job.file, job.changes)
            output = folder.log.open('a')
        except (ConfigError, OSError) as e:  # the folder holds another run, or cannot be written
            self._tell_end(job, str(e), has_failed=True)
            return
        environment = {'GLIBC_TUNABLES': HUGE_PAGES, **os.environ}
        if device is not None:
            environment = {**os.environ, 'CUDA_VISIBLE_DEVICES': device}
        with output:
            process = subprocess.Popen(
                [sys.executable, '-c', _ENDS_WITH_PARENT, *COMMAND, *job.arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,  # Ctrl-C reaches only the study, which signals the run
            )
        self.display.started(line, job.name + ('' if device is None else f' on GPU {device}'))
        began, first, is_stopping = time.time(), None, False
        while process.poll() is None:
            found, trained = folder.progress(), 0.0
            if found is not None and found[1] >= began:
                progress, now = found
                first_time, first_step = first = first or (now, progress['step'])
                trained = now - first_time
                if progress['step'] > first_step:
                    self.estimate.learn(job.config, trained / (progress['step'] - first_step))
                self.shares[job] = progress['step'] / progress['end']
                details = f'epoch {progress["epoch"]:.1f}, train error {progress["train_error"]:.1f} %'
                self.display.show(line, f'{job.name}: {100 * self.shares[job]:.0f} %, {details}')
            if not is_stopping and (trained > seconds or self.stop_signals.received is not None):
                process.terminate()
                is_stopping = True
            yield
        self.shares.pop(job, None)
        self.display.show(line, '')
        run = read_run(job)
        if run.state == FINISHED:  # with its start, its compilation and its evaluations
            self.estimate.learn(job.config, run.summary['seconds'] / run.summary['steps'])
        if run.state in (FINISHED, RUNNING):
            self._tell_end(job, str(run))
        elif not is_stopping:
            reason = run.failure or _reason(job, process.returncode)
            folder.write_failure(reason)
            self._tell_end(job, reason, has_failed=True)

    def _tell_end(self, job: Job, outcome: str, has_failed: bool = False) -> None:
        self.ended.add(job)
        if has_failed:
            self.failed[job] = outcome
            outcome = f'failed: {outcome}'
        left = '' if len(self.ended) == len(self.jobs) else f'; {self.time_left()} left'
        self.display.say(f'[{len(self.ended)}/{len(self.jobs)}] {job.name}: {outcome}{left}')


def _reason(job: Job, code: int) -> str:
    """Says why a run ended that wrote no reason."""
    if code < 0:  # the system sends SIGKILL if it lacks memory
        return f'killed by {signal.Signals(-code).name}; perhaps it lacked memory'
    lines = RunFolder(job.folder).log.read_text(errors='replace').splitlines()
    return lines[-1].removeprefix('error: ') if lines else f'exit code {code}'
