"""The plan of a study: its settings, which are rows of its table, and the jobs of each, one a seed."""

import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import inf
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from jax_resnet import models
from jax_resnet.config.durations import Clock
from jax_resnet.config.identity import default_name, find_folder
from jax_resnet.config.network import network
from jax_resnet.data import datasets, image_shape
from jax_resnet.runs import results_folder


@dataclass(frozen=True, eq=False)
class Job:
    """A setting with a seed, to be trained: a config and what is changed in it.

    Attributes:
        label: of its setting.
        config_file: as on the command line of `main.py`, with its argument.
        overrides: the fields that are changed, by dotted name.
        seed: of the job.
        config: the whole config, the changes and the seed in it.
        is_rehearsal: whether reports are to mark it as one.
    """

    label: str
    config_file: str
    overrides: Mapping[str, Any]
    seed: int
    config: Mapping[str, Any] = field(repr=False)
    is_rehearsal: bool = False

    @property
    def name(self) -> str:
        return f'{self.label}, seed {self.seed}'

    @property
    def folder(self) -> Path:
        """Where `main.py` would put it, so that studies share runs."""
        return find_folder(self.config_file, self.overrides, self.overrides, self.seed)

    @property
    def command(self) -> str:
        """The command that trains this job alone."""
        changes = {**self.overrides, 'seed': self.seed}
        words = [f'--config={self.config_file}', *(f'--config.{name}={value}' for name, value in changes.items())]
        return shlex.join(['python', 'main.py', *words])


@dataclass(frozen=True, eq=False)
class Setting:
    """What a row of the study's table is of: jobs that differ in the seed alone, and what is published.

    Attributes:
        label: what the row is called.
        group: settings of one group are drawn in one picture.
        jobs: by seed.
        published: error in %, or None.
        published_text: said in its place, such as 'fail'.
        window: first and last epoch of the published mean, where it is one.
    """

    label: str
    group: str
    jobs: tuple[Job, ...]
    published: float | None
    published_text: str
    window: tuple[float, float] | None

    @property
    def limit(self) -> float:
        """On the parameters, of the network itself."""
        return self.jobs[0].config['model'].get('parameter_limit') or inf

    @cached_property
    def parameters(self) -> int:
        """Trainable numbers of the network, be it above its limit."""
        config = without_limit(self.jobs[0].config)
        model, shape = network(config, stacked=True), image_shape(config['dataset'])
        variables = jax.eval_shape(lambda: model.init(jax.random.key(0), jnp.zeros((1, *shape))))
        return models.count_parameters(variables['params'])

    @cached_property
    def cost(self) -> float:
        """A measure of how long one of its jobs takes, to compare settings by."""
        config = self.jobs[0].config
        examples = datasets.find(config['dataset']['name']).splits.get(
            'train', datasets.DATASETS['cifar10'].splits['train']
        )
        steps = Clock(examples, config['batch_size']).steps(config['train_for'])
        return steps * config['batch_size'] * (self.parameters + 20_000)  # nets of no parameters take time, too


@dataclass(frozen=True)
class Plan:
    """A study, with its jobs.

    Attributes:
        file: of the study, with its argument.
        question: the first paragraph of its docstring; `about` is the rest.
        source: who published the numbers.
        measure: what the published numbers are, one of `runs.schemas.MEASURES`.
        settings: the rows of its table.
        changes: what the command line changes in every job, by dotted name.
        is_rehearsal: whether it is one.
        notes: what became of settings that were merged or left out, for the user.
        reuses_results: whether a file of results/, of equal config and seed, is as good as a run.
    """

    file: str
    question: str
    about: str
    source: str
    measure: str
    settings: tuple[Setting, ...]
    changes: Mapping[str, Any]
    is_rehearsal: bool
    notes: tuple[str, ...]
    reuses_results: bool = False

    @property
    def jobs(self) -> list[Job]:
        """All of them, the first seed of every setting first."""
        by_seed = [(i, job) for setting in self.settings for i, job in enumerate(setting.jobs)]
        return [job for _, job in sorted(by_seed, key=lambda pair: pair[0])]

    @property
    def folder(self) -> Path:
        """Where its description goes: `runs/studies/<name>[-<argument>][/<changes>][/rehearsal]`."""
        inside = default_name(_without_slashes(self.file), self.changes, 0).parent.relative_to('runs')
        return Path('runs', 'studies', inside, 'rehearsal' if self.is_rehearsal else '')

    def setting_of(self, job: Job) -> Setting:
        return next(setting for setting in self.settings if job in setting.jobs)

    def describe(self) -> dict[str, Any]:
        """What a report needs to know beside runs and results, whose paths are relative to the study's folder."""

        def path(to: Path) -> str:
            return Path(os.path.relpath(to, self.folder)).as_posix()

        def result(job: Job) -> dict[str, str]:
            found = results_folder.find(job.config) if self.reuses_results else None
            return {} if found is None else {'result': path(found)}

        rows = [
            {
                'label': setting.label,
                'group': setting.group,
                'published': setting.published,
                'published_text': setting.published_text,
                'window': setting.window,
                'runs': [{'seed': job.seed, 'folder': path(job.folder), **result(job)} for job in setting.jobs],
            }
            for setting in self.settings
        ]
        return {
            'study': Path(self.file.partition(':')[0]).stem,
            'file': self.file,
            'question': self.question,
            'about': self.about,
            'source': self.source,
            'measure': self.measure,
            'changes': {name: str(value) for name, value in self.changes.items()},
            'is_rehearsal': self.is_rehearsal,
            'notes': self.notes,
            'rows': rows,
        }


def without_limit(config: Mapping[str, Any]) -> dict[str, Any]:
    """The config, its network of any size."""
    model = config['model']
    return {**config, 'model': model | {'parameter_limit': 0} if 'parameter_limit' in model else model}


def _without_slashes(file: str) -> str:
    """The argument of a study, such as 1,1/2, is to be part of one folder's name."""
    path, colon, argument = file.partition(':')
    return path + colon + argument.replace('/', '_')
