"""The plan of a study: the rows of its table, and the jobs of each row, one for each seed.

`read` makes it from the study's file, `configs/studies/depth.py:20,56`, and from what the command line changes.
"""

import os
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any, TypedDict

import jax
import jax.numpy as jnp
import msgspec

from jax_resnet import models
from jax_resnet.config import durations, loading, schedule
from jax_resnet.config.fields import Config, Natural
from jax_resnet.config.identity import default_name, recipe
from jax_resnet.config.loading import change
from jax_resnet.config.network import network
from jax_resnet.data import datasets, image_shape
from jax_resnet.errors import ConfigError
from jax_resnet.runs.schemas import DescribedRow, Measure

SHORTEN = {'epochs': 20, 'steps': 700, 'examples': 700}
"""How many times a rehearsal is shortened, by the unit of its length: the digits have 35 times fewer examples."""


class _Row(DescribedRow):
    config: str
    changes: dict[str, Any]


class _Study(TypedDict):
    rows: list[_Row]
    source: str
    measure: Measure
    most: Natural | None


@dataclass(frozen=True, eq=False)
class Job:
    """One training run of a study: a row with a seed.

    Attributes:
        label: the label of its row.
        file: the config file with its argument, as on the command line of `main.py`.
        changes: the fields that are changed in that config, by dotted name.
        config: the complete config, with the changes and the seed.
    """

    label: str
    file: str
    changes: Mapping[str, Any]
    config: Config = field(repr=False)

    @property
    def seed(self) -> int:
        return self.config.seed

    @property
    def name(self) -> str:
        return f'{self.label}, seed {self.seed}'

    @property
    def folder(self) -> Path:
        """The run folder: the same that `main.py` would use, so that studies share runs."""
        return default_name(self.file, self.changes, self.seed)

    @property
    def arguments(self) -> list[str]:
        """The arguments of `main.py` that train this job."""
        changed = {**self.changes, 'seed': self.seed}
        return [f'--config={self.file}', *(f'--config.{name}={value}' for name, value in changed.items())]

    @property
    def command(self) -> str:
        """The command that trains only this job."""
        return shlex.join(['python', '-m', 'jax_resnet', 'train', *self.arguments])


@dataclass(frozen=True, eq=False)
class Row:
    """A row of the study's table: jobs that differ only in the seed.

    Attributes:
        about: what a report says of it, see `configs.studies.base.row`.
        jobs: one for each seed.
        changes: the fields whose values the command line changes in this row, by dotted name.
    """

    about: DescribedRow
    jobs: tuple[Job, ...]
    changes: Mapping[str, Any]

    @property
    def title(self) -> str:
        return _title(self.about)

    @cached_property
    def parameters(self) -> int:
        """The number of trainable parameters of the network.

        Raises ConfigError if the network does not fit the images, or a shortened schedule has no order.
        """
        config = self.jobs[0].config
        model, shape = network(config, stacked=True), image_shape(config.dataset)
        try:
            variables = jax.eval_shape(lambda: model.init(jax.random.key(0), jnp.zeros((1, *shape))))
        except ValueError as e:
            raise ConfigError(f'config.model: {" ".join(str(e).split())}') from None
        if size := datasets.count(config.dataset):
            clock = durations.Clock(size, config.batch_size, config.shorten)
            try:
                schedule.create(config.schedule, clock, clock.steps(config.train_for))
            except ValueError as e:
                raise ConfigError(f'config.schedule.{e}') from None
        return models.count_parameters(variables['params'])


@dataclass(frozen=True)
class Plan:
    """A study with its jobs.

    Attributes:
        file: the file of the study, with its argument.
        question: the first paragraph of the file's docstring.
        about: the rest of that docstring.
        source: who published the numbers.
        measure: what the published numbers are, one of `runs.schemas.Measure`.
        rows: the rows of the table.
        is_rehearsal: whether the study is a rehearsal.
        notes: lines for the user about rows that were left out.
    """

    file: str
    question: str
    about: str
    source: str
    measure: str
    rows: tuple[Row, ...]
    is_rehearsal: bool
    notes: tuple[str, ...]

    @property
    def changes(self) -> dict[str, Any]:
        """The fields that the command line changes in a row. A value that all rows have anyway is no change."""
        return {name: value for row in self.rows for name, value in row.changes.items()}

    @property
    def jobs(self) -> list[Job]:
        """All jobs, in this order: the first seed of every row, then the second, and so on."""
        return [*chain.from_iterable(zip(*(row.jobs for row in self.rows), strict=True))]

    @property
    def folder(self) -> Path:
        """The folder for study.json: `runs/studies/<name>[-<argument>][/<changes>][/rehearsal]`."""
        inside = default_name(self.file, self.changes, 0).parent.relative_to('runs')
        return Path('runs', 'studies', inside, 'rehearsal' if self.is_rehearsal else '')

    def describe(self) -> dict[str, Any]:
        """Returns the content of study.json, see `schemas.Study`. Its paths are relative to the study's folder."""
        rows = [
            {**row.about, 'runs': {job.seed: os.path.relpath(job.folder, self.folder) for job in row.jobs}}
            for row in self.rows
        ]
        study = Path(self.file.partition(':')[0]).stem
        return {'study': study, **vars(self), 'changes': self.changes, 'rows': rows}


def read(file: str, seeds: Sequence[int], changes: Mapping[str, str] | None = None, is_rehearsal: bool = False) -> Plan:
    """Makes the plan of a study. This needs no data and writes nothing.

    Args:
        file: the file of the study, with its argument: `configs/studies/learning_rate.py:1,1/10`.
        seeds: the seeds for every row.
        changes: fields to change in every job, by dotted name, as strings.
        is_rehearsal: whether to train on the digits, with a shortened recipe. Rows whose networks do not fit the digits
            are left out.

    Raises:
        ConfigError: the study, a config or a field does not exist or is wrong; a network does not fit its images; or
            the study has no runs.
    """
    variables, returned = loading.run(file, 'study')
    question, _, about = (variables['__doc__'] or file).strip().partition('\n\n')
    try:
        study = msgspec.convert(returned, _Study)
    except msgspec.ValidationError as e:
        raise ConfigError(f'--study={file}: get_study must return what base.study makes; {e}') from None
    given = dict(changes or {})
    if 'seed' in given:
        raise ConfigError(f'--set=seed={given["seed"]}: the seeds of a study are given by --seeds={given["seed"]}')
    rows, notes = _rows(study, seeds, given, is_rehearsal)
    if len({(row.about['label'], row.about['group']) for row in rows}) < len(rows):
        raise ConfigError(f'--study={file}: two rows have the same label and group; these must be different')
    if not rows:
        raise ConfigError(f'--study={file}: must have runs; it has none' + (f' ({"; ".join(notes)})' if notes else ''))
    question, source, measure = ' '.join(question.split()), study['source'], study['measure']
    return Plan(file, question, about, source, measure, tuple(rows), is_rehearsal, tuple(notes))


def _rehearsal(config: Config) -> dict[str, Any]:
    """Returns the changes of a rehearsal: the data set becomes the digits, and the recipe is shortened."""
    if datasets.find(config.dataset.name).image_shape is None:
        raise ConfigError(
            f'--rehearse: is only for studies on CIFAR; the digits are too small for {config.model.name} '
            f'on {config.dataset.name}'
        )
    return {
        'dataset.name': 'digits',
        'dataset.normalization': 'pixel_mean',
        'dataset.pad_with': 'zero',
        'dataset.pad': 1,
        'dataset.crop': 0,
        'dataset.test_crop': 0,
        'dataset.flip': False,
        'shorten': SHORTEN[durations.parse(config.train_for)[1]],
    }


def _rows(
    study: _Study, seeds: Sequence[int], given: Mapping[str, str], is_rehearsal: bool
) -> tuple[list[Row], list[str]]:
    """Returns the rows of the study, and notes about those that are left out."""
    rows: dict[str, Row] = {}  # by recipe
    left_out: list[str] = []
    for described in study['rows']:
        if len(rows) == study['most']:
            break
        row = _row(described, seeds, given, is_rehearsal)
        try:
            _ = row.parameters  # the network fits the images, and its own limit
        except ConfigError as e:
            if not is_rehearsal and study['most'] is None:
                raise
            left_out.append(f'{_title(described)} ({e})')
            continue
        same = rows.setdefault(repr(recipe(row.jobs[0].config)), row)
        if same is not row:
            left_out.append(f'{_title(described)} (the same as {same.title})')
    more = f' and {len(left_out) - 5} more' if len(left_out) > 5 else ''
    return [*rows.values()], [f'left out: {"; ".join(left_out[:5])}{more}'] if left_out else []


def _title(row: DescribedRow) -> str:
    return f'{row["label"]} ({row["group"]})' if row['group'] else row['label']


def _row(described: _Row, seeds: Sequence[int], given: Mapping[str, str], is_rehearsal: bool) -> Row:
    file, changes, window = described['config'], dict(described['changes']), described['window']
    named, _ = before, _ = loading.load(file, changes)
    if is_rehearsal:
        changes |= _rehearsal(named)
        before, _ = loading.load(file, changes)
    changes |= given
    config, differing = loading.load(file, changes)
    old, new = recipe(before), recipe(config)
    changed = {name: new[name] for name in given if name in new and new[name] != old.get(name)}
    classes = len(datasets.find(config.dataset.name).class_names)
    if classes and config.model.num_classes != classes and 'model.num_classes' not in given:
        config, differing = loading.load(file, changes | {'model.num_classes': classes})
    label, group = (_renamed(name, named, config) for name in (described['label'], described['group']))
    about: DescribedRow = {
        'label': label,
        'group': group,
        'published': described['published'],
        'published_text': described['published_text'],
        'window': None if window is None else (window[0] / config.shorten, window[1] / config.shorten),
    }
    return Row(about, tuple(Job(label, file, differing, change(config, {'seed': seed})) for seed in seeds), changed)


def _renamed(name: str, before: Config, after: Config) -> str:
    """Changes the data set and the depth in the name of a row to those of its runs: 'ResNet-20' to 'ResNet-8'."""
    old, new = (datasets.find(config.dataset.name).title for config in (before, after))
    old_depth, depth = (getattr(config.model, 'depth', 0) for config in (before, after))
    name = name.replace(old, new)
    return re.sub(rf'-{old_depth}\b', f'-{depth}', name) if old_depth and depth else name
