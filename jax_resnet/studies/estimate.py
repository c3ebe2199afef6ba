"""How long the runs of a study take: from how fast this machine trains each network."""

from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

from jax_resnet.config.durations import Clock
from jax_resnet.config.fields import Config, flatten
from jax_resnet.data import datasets
from jax_resnet.errors import ConfigError
from jax_resnet.runs import run as runs
from jax_resnet.runs.run_folder import RunFolder
from jax_resnet.studies.plan import Job

SPEED = ('model.', 'precision.', 'memory.', 'parallel.', 'dataset.name', 'batch_size', 'batch_norm.group_size')
"""The fields, and groups of fields, that determine how long a step takes."""


class Estimate:
    """Knows how many seconds a step of each network takes. It learns this from runs, finished or not.

    Args:
        folder: the folder of this machine's runs.
    """

    def __init__(self, folder: Path = Path('runs')) -> None:
        self._seconds: dict[str, float] = {}
        paths = [*folder.glob('*/seed*/metrics.jsonl'), *folder.glob('*/*/seed*/metrics.jsonl')]
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

    def seconds(self, job: Job) -> float:
        """The seconds that a job still takes; 0 if its speed or its length is not known."""
        config, found = job.config, RunFolder(job.folder).progress()
        clock = Clock(datasets.count(config.dataset), config.batch_size, config.shorten)
        step, end = (found[0]['step'], found[0]['end']) if found else (0, clock.steps(config.train_for))
        return (end - step) * self._seconds.get(_speed(config), 0.0)

    def together(self, jobs: Iterable[Job], workers: int) -> str:
        """The time that several jobs still take if `workers` of them are trained at a time: '1 day, 3:00:00'."""
        seconds = [self.seconds(job) for job in jobs]
        return str(timedelta(seconds=round(max([sum(seconds) / workers, *seconds]))))


def _speed(config: Config) -> str:
    return repr(sorted(pair for pair in flatten(config).items() if pair[0].startswith(SPEED)))
