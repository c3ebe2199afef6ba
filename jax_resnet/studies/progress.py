"""How far a study is: the state of each run, the time that the runs still take, and what a terminal shows of it."""

import sys
from collections.abc import Iterable, Sequence
from datetime import timedelta
from functools import cache
from pathlib import Path

from tqdm import tqdm

from jax_resnet.config.durations import Clock
from jax_resnet.config.fields import Config, flatten
from jax_resnet.data import datasets
from jax_resnet.errors import ConfigError
from jax_resnet.runs import run as runs
from jax_resnet.runs.run import Run
from jax_resnet.runs.run_folder import RunFolder
from jax_resnet.studies.plan import Job

SPEED = ('model.', 'precision.', 'memory.', 'parallel.', 'dataset.name', 'batch_size', 'batch_norm.group_size')
"""The fields, and groups of fields, that determine how long a step takes."""


def read_run(job: Job) -> Run:
    """Reads the run of a job. If its folder is damaged or holds a run of another config, the run counts as failed."""
    try:
        run = runs.read(job.folder, job.seed)
        if run.config is not None:
            RunFolder(job.folder).check_same(job.config)
    except ConfigError as e:
        return Run(job.folder, job.seed, job.config, failure=str(e))
    return run


class Estimate:
    """Knows how many seconds a step of each network takes. It learns this from runs, finished or not."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}
        paths = [*Path('runs').glob('*/seed*/metrics.jsonl'), *Path('runs').glob('*/*/seed*/metrics.jsonl')]
        for path in sorted(paths, key=lambda path: path.stat().st_mtime):  # the newest speed counts
            try:
                run = runs.read(path.parent)
            except ConfigError:  # it is damaged
                continue
            if run.config is not None and run.metrics and run.metrics[-1]['images_per_second']:
                self.learn(run.config, run.config.batch_size / run.metrics[-1]['images_per_second'])

    def learn(self, config: Config, seconds: float) -> None:
        """Learns how many seconds a step takes."""
        self._seconds[_speed(config)] = seconds

    def unknown(self, jobs: Iterable[Job]) -> list[Job]:
        """Returns the first job of each network whose speed is not known."""
        first = {_speed(job.config): job for job in reversed([*jobs])}
        return [job for speed, job in reversed(first.items()) if speed not in self._seconds]

    def time(self, jobs: Sequence[Job], workers: int) -> str:
        """The time that jobs still take if `workers` of them are trained at a time: 'about 1 day, 3:00:00'."""
        known = [job for job in jobs if _speed(job.config) in self._seconds]
        seconds = [_steps_left(job) * self._seconds[_speed(job.config)] for job in known]
        if jobs and not known:
            return 'an unknown time'
        about = 'about' if len(known) == len(jobs) else 'more than'
        return f'{about} {timedelta(seconds=round(max([sum(seconds) / workers, *seconds])))}'


def _steps_left(job: Job) -> int:
    config, found = job.config, RunFolder(job.folder).progress()
    if found is not None:
        return int(found[0]['end'] - found[0]['step'])
    return Clock(datasets.count(config.dataset), config.batch_size, config.shorten).steps(config.train_for)


@cache
def _speed(config: Config) -> str:
    return repr(sorted(pair for pair in flatten(config).items() if pair[0].startswith(SPEED)))


class Display:
    """Shows the progress of a study: in a terminal one bar for the study and a line for each run; else plain lines.

    Args:
        workers: the number of runs that are trained at a time.
    """

    def __init__(self, workers: int) -> None:
        self._study, *self._workers = (
            tqdm(total=1.0, position=i, leave=not i, dynamic_ncols=True, file=sys.stdout, bar_format=bar, disable=None)
            for i, bar in enumerate(['{percentage:3.0f}%|{bar:20}| {desc}', *['{desc}'] * workers])
        )

    def say(self, line: str) -> None:
        """Prints a line that stays."""
        tqdm.write(line, file=sys.stdout)
        sys.stdout.flush()

    def started(self, worker: int, name: str) -> None:
        """Shows that a worker has started a run."""
        self.show(worker, name)
        if self._study.disable:
            self.say(f'{name}: started')

    def show(self, worker: int, description: str) -> None:
        """Shows how far the run of a worker is."""
        self._workers[worker].set_description_str(description)

    def show_study(self, share: float, description: str) -> None:
        """Shows which share of the study is done."""
        self._study.n = share
        self._study.set_description_str(description)

    def close(self) -> None:
        """Removes the lines of the workers. The bar of the study stays."""
        for bar in (*self._workers[::-1], self._study):
            bar.close()
