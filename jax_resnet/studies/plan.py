"""The plan of a study: its settings, one for each row of its table, and the jobs of each setting, one for each seed."""

import json
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
from jax_resnet.config.fields import Config
from jax_resnet.config.identity import default_name
from jax_resnet.config.loading import change
from jax_resnet.config.network import network
from jax_resnet.data import datasets, image_shape
from jax_resnet.errors import ConfigError
from jax_resnet.runs import results_folder, schemas


@dataclass(frozen=True, eq=False)
class Job:
    """One training run of a study: a setting with a seed.

    Attributes:
        label: the label of its setting.
        file: the config file with its argument, as on the command line of `main.py`.
        changes: the fields that are changed in that config, by dotted name.
        seed: the seed of the run.
        config: the complete config, with the changes and the seed.
        is_rehearsal: whether it is a rehearsal.
    """

    label: str
    file: str
    changes: Mapping[str, Any]
    seed: int
    config: Config = field(repr=False)
    is_rehearsal: bool = False

    @property
    def name(self) -> str:
        return f'{self.label}, seed {self.seed}'

    @property
    def folder(self) -> Path:
        """The run folder: the same that `main.py` would use, so that studies share runs."""
        return default_name(self.file, self.changes, self.seed)

    @property
    def command(self) -> str:
        """The command that trains only this job."""
        changed = {**self.changes, 'seed': self.seed}
        words = [f'--config={self.file}', *(f'--config.{name}={value}' for name, value in changed.items())]
        return shlex.join(['python', '-m', 'jax_resnet', 'train', *words])


@dataclass(frozen=True, eq=False)
class Setting:
    """A row of the study's table: jobs that differ only in the seed, and the published error.

    Attributes:
        label: the name of the row.
        group: settings of one group are drawn in one picture.
        jobs: one for each seed.
        published: the published error in %, or None.
        published_text: a text to show instead, such as 'fail'.
        window: if the published error is a mean over epochs, its first and last epoch; else None.
        changes: the fields whose values the command line changes in this setting, by dotted name.
    """

    label: str
    group: str
    jobs: tuple[Job, ...]
    published: float | None
    published_text: str
    window: tuple[float, float] | None
    changes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def limit(self) -> float:
        """The most parameters that the config allows; infinity if it has no limit."""
        return getattr(self.jobs[0].config.model, 'parameter_limit', 0) or inf

    @cached_property
    def parameters(self) -> int:
        """The number of trainable parameters of the network, even if it is above the limit.

        Raises:
            ConfigError: the network does not fit the images.
        """
        config = without_limit(self.jobs[0].config)
        model, shape = network(config, stacked=True), image_shape(config.dataset)
        try:
            variables = jax.eval_shape(lambda: model.init(jax.random.key(0), jnp.zeros((1, *shape))))
        except ValueError as e:
            raise ConfigError(f'config.model: {" ".join(str(e).split())}') from None
        return models.count_parameters(variables['params'])

    @cached_property
    def cost(self) -> float:
        """An estimate of how long one job takes, in no unit: it only compares settings."""
        config = self.jobs[0].config
        examples = datasets.find(config.dataset.name).splits.get('train', datasets.DATASETS['cifar10'].splits['train'])
        steps = Clock(examples, config.batch_size, config.shorten).steps(config.train_for)
        return steps * config.batch_size * (self.parameters + 20_000)  # a network without parameters takes time, too


@dataclass(frozen=True)
class Plan:
    """A study with its jobs.

    Attributes:
        file: the file of the study, with its argument.
        question: the first paragraph of the file's docstring.
        about: the rest of that docstring.
        source: who published the numbers.
        measure: what the published numbers are, one of `runs.schemas.Measure`.
        settings: the rows of the table.
        changes: the fields that the command line changes in a setting, by dotted name. A value that all settings have
            anyway is no change.
        is_rehearsal: whether the study is a rehearsal.
        notes: lines for the user about settings that were merged or left out.
        reuses_results: whether a file of results/ with the same config and seed replaces a run.
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
        """All jobs, in this order: the first seed of every setting, then the second, and so on."""
        numbered = [(i, job) for setting in self.settings for i, job in enumerate(setting.jobs)]
        return [job for _, job in sorted(numbered, key=lambda pair: pair[0])]

    @property
    def folder(self) -> Path:
        """The folder for study.json: `runs/studies/<name>[-<argument>][/<changes>][/rehearsal]`."""
        inside = default_name(_without_slashes(self.file), self.changes, 0).parent.relative_to('runs')
        return Path('runs', 'studies', inside, 'rehearsal' if self.is_rehearsal else '')

    def setting_of(self, job: Job) -> Setting:
        return next(setting for setting in self.settings if job in setting.jobs)

    def describe(self) -> dict[str, Any]:
        """Returns the content of study.json, see `schemas.Study`. Its paths are relative to the study's folder."""

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
            'changes': self.changes,
            'is_rehearsal': self.is_rehearsal,
            'notes': self.notes,
            'rows': rows,
        }

    def as_json(self) -> bytes:
        """Returns the content of study.json as JSON.

        Raises:
            ConfigError: a value of the study is not allowed in study.json.
        """
        described = self.describe()
        try:
            content = (json.dumps(described, indent=2, ensure_ascii=False, allow_nan=False) + '\n').encode()
            schemas.parse(content, schemas.Study, '')
        except (TypeError, ValueError) as e:  # ConfigError is a ValueError
            problem = ' '.join(str(e).split()).removeprefix('is damaged: ')
            raise ConfigError(f'--study={self.file}: {problem}') from None
        return content


def without_limit(config: Config) -> Config:
    """Returns the config without the limit on the number of parameters."""
    return change(config, {'model.parameter_limit': 0} if hasattr(config.model, 'parameter_limit') else {})


def _without_slashes(file: str) -> str:
    """Replaces the slashes in the argument of a study, such as 1,1/2, which becomes part of a folder's name."""
    path, colon, argument = file.partition(':')
    return path + colon + argument.replace('/', '_')
