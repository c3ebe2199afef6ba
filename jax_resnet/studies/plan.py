"""The plan of a study: its rows and their runs."""

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
from jax_resnet.config.identity import default_name
from jax_resnet.config.network import network
from jax_resnet.data import DATASETS
from jax_resnet.runs import results_folder


@dataclass(frozen=True, eq=False)
class Run:
    """One run: a config, what is changed in it, and a seed.

    Attributes:
        label: of its row.
        config_file: as on the command line of `main.py`, with its argument.
        overrides: the fields that are changed, by dotted name.
        seed: of the run.
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
        return default_name(self.config_file, self.overrides, self.seed)

    @property
    def command(self) -> str:
        """The command that trains this run alone."""
        changes = {**self.overrides, 'seed': self.seed}
        words = [f'--config={self.config_file}', *(f'--config.{name}={value}' for name, value in changes.items())]
        return shlex.join(['python', 'main.py', *words])


@dataclass(frozen=True, eq=False)
class Row:
    """A row of the study's table: runs that differ in the seed alone, and what is published.

    Attributes:
        label: what the row is called.
        group: rows of one group are drawn in one picture.
        runs: by seed.
        published: error in %, or None.
        published_text: said in its place, such as 'fail'.
        window: first and last epoch of the published mean, where it is one.
    """

    label: str
    group: str
    runs: tuple[Run, ...]
    published: float | None
    published_text: str
    window: tuple[float, float] | None

    @property
    def limit(self) -> float:
        """On the parameters, of the network itself."""
        return self.runs[0].config['model'].get('parameter_limit') or inf

    @cached_property
    def parameters(self) -> int:
        """Trainable numbers of the network, be it above its limit."""
        config = without_limit(self.runs[0].config)
        model, image_shape = network(config, stacked=True), DATASETS[config['dataset']['name']].image_shape
        variables = jax.eval_shape(lambda: model.init(jax.random.key(0), jnp.zeros((1, *image_shape))))
        return models.count_parameters(variables['params'])

    @cached_property
    def cost(self) -> float:
        """A measure of how long one of its runs takes, to compare rows of the study by."""
        config = self.runs[0].config
        examples = DATASETS[config['dataset']['name']].splits['train']
        steps = Clock(examples, config['batch_size']).steps(config['train_for'])
        return steps * config['batch_size'] * (self.parameters + 20_000)  # nets of no parameters take time, too


@dataclass(frozen=True)
class Plan:
    """A study, with its runs.

    Attributes:
        file: of the study, with its argument.
        question: the first paragraph of its docstring; `about` is the rest.
        source: who published the numbers.
        measure: what the published numbers are: 'final', 'median' (of the final errors), or 'window' (means).
        rows: of its table.
        changes: what the command line changes in every run, by dotted name.
        is_rehearsal: whether it is one.
        notes: what became of rows that were merged or left out, for the user.
    """

    file: str
    question: str
    about: str
    source: str
    measure: str
    rows: tuple[Row, ...]
    changes: Mapping[str, Any]
    is_rehearsal: bool
    notes: tuple[str, ...]

    @property
    def runs(self) -> list[Run]:
        """All of them, the first seed of every row first."""
        by_seed = [(i, run) for row in self.rows for i, run in enumerate(row.runs)]
        return [run for _, run in sorted(by_seed, key=lambda pair: pair[0])]

    @property
    def folder(self) -> Path:
        """Where its description goes: `runs/studies/<name>[-<argument>][/<changes>][/rehearsal]`."""
        inside = default_name(_without_slashes(self.file), self.changes, 0).parent.relative_to('runs')
        return Path('runs', 'studies', inside, 'rehearsal' if self.is_rehearsal else '')

    def row_of(self, run: Run) -> Row:
        return next(row for row in self.rows if run in row.runs)

    def describe(self) -> dict[str, Any]:
        """What a report needs to know beside runs and results, whose paths are relative to the study's folder."""

        def path(to: Path) -> str:
            return Path(os.path.relpath(to, self.folder)).as_posix()

        def result(run: Run) -> dict[str, str]:
            found = results_folder.find(run.config)
            return {} if found is None else {'result': path(found)}

        rows = [
            {
                'label': row.label,
                'group': row.group,
                'published': row.published,
                'published_text': row.published_text,
                'window': row.window,
                'runs': [{'seed': run.seed, 'folder': path(run.folder), **result(run)} for run in row.runs],
            }
            for row in self.rows
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
