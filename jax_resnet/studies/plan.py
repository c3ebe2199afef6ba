"""The runs of a study: from its file, `configs/studies/depth.py:20,56`, and the command line's changes to a list."""

import os
import runpy
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import inf
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from jax_resnet import config_file, models
from jax_resnet.data import SHAPES
from jax_resnet.errors import ConfigError
from jax_resnet.studies import rehearsal
from jax_resnet.training import results_folder
from jax_resnet.training.durations import Clock
from jax_resnet.training.experiment import network
from jax_resnet.training.fields import check, flatten, without_none
from jax_resnet.training.run_folder import NOT_COMPARED, default_name


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
        config = _without_limit(self.runs[0].config)
        model, (image_shape, _) = network(config, stacked=True), SHAPES[config['dataset']['name']]
        variables = jax.eval_shape(lambda: model.init(jax.random.key(0), jnp.zeros((1, *image_shape))))
        return models.count_parameters(variables['params'])

    @cached_property
    def cost(self) -> float:
        """A measure of how long one of its runs takes, to compare rows of the study by."""
        config = self.runs[0].config
        examples = 1_437 if config['dataset']['name'] == 'digits' else 50_000
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


def read(
    file: str,
    seeds: Sequence[int],
    changes: Mapping[str, str] | None = None,
    is_rehearsal: bool = False,
    limit: float = inf,
) -> Plan:
    """The plan of a study. No data is needed, and nothing is written.

    Args:
        file: of the study, with its argument: `configs/studies/learning_rate.py:1,1/10`.
        seeds: of every row.
        changes: fields to change in every run, by dotted name, as text.
        is_rehearsal: a twentieth of the epochs, on the digits.
        limit: rows whose network has more parameters, or more than its config allows, are left out.

    Raises:
        ConfigError: no such study, field or config; no runs.
    """
    study = _load(file)
    given = dict(changes or {})
    rows: list[Row] = []
    notes: list[str] = []
    too_large: list[str] = []
    for described in study['rows']:
        if study['most'] is not None and len(rows) == study['most']:
            break
        row = _row(described, seeds, given, is_rehearsal)
        most = min(limit, row.limit)
        if most < inf and row.parameters > most:
            too_large.append(f'{row.label} ({row.parameters:,})')
            continue
        same = next((other for other in rows if _compared(other) == _compared(row)), None)
        if same is None:
            rows.append(row)
        else:
            notes.append(f'{_title(row)} becomes the same as {_title(same)}: merged')
    if too_large:
        more = f' and {len(too_large) - 5} more' if len(too_large) > 5 else ''
        notes.append(f'left out, with more parameters than the limit: {"; ".join(too_large[:5])}{more}')
    labels = [(row.label, row.group) for row in rows]
    if len(set(labels)) < len(labels):
        raise ConfigError(f'--study={file}: two rows have the same label and group; each needs its own')
    if not rows:
        raise ConfigError(f'--study={file}: has no runs' + (f' ({"; ".join(notes)})' if notes else ''))
    return Plan(
        file=file,
        question=study['question'],
        about=study['about'],
        source=study['source'],
        measure=study['measure'],
        rows=tuple(rows),
        changes=given,
        is_rehearsal=is_rehearsal,
        notes=tuple(notes),
    )


def _load(file: str) -> dict[str, Any]:
    path, _, argument = file.partition(':')
    if not Path(path).is_file():
        raise ConfigError(f'--study={path}: no such file; the studies lie in the folder configs/studies')
    try:
        module = runpy.run_path(path)
        study = module['get_study'](*([argument] if argument else []))
    except KeyError as e:
        raise ConfigError(f'--study={path}: must be a study; it has no {e}') from e
    except Exception as e:  # a study's file may raise any
        raise ConfigError(f'--study={file}: {" ".join(str(e).split()) or type(e).__name__}') from e
    question, _, about = (module['__doc__'] or path).strip().partition('\n\n')
    return {**study, 'question': ' '.join(question.split()), 'about': about}


def _row(described: Mapping[str, Any], seeds: Iterable[int], given: Mapping[str, str], is_rehearsal: bool) -> Row:
    file, changes, window = described['config'], dict(described['changes']), described['window']
    if is_rehearsal:
        config, _ = config_file.load(file, changes)
        changes |= rehearsal.changes(config)
        window = window and tuple(float(epoch * rehearsal.SHARE) for epoch in window)
    changes |= given
    config, overrides = config_file.load(file, changes)
    classes = SHAPES[config.dataset.name][1] if config.dataset.name in SHAPES else None
    if classes is not None and config.model.get('num_classes') != classes and 'model.num_classes' not in given:
        config, overrides = config_file.load(file, changes | {'model.num_classes': classes})
    unchanged = flatten(config_file.load(file, {})[0].to_dict())
    overrides = {name: value for name, value in overrides.items() if unchanged.get(name) != value}

    def run(seed: int) -> Run:
        whole = without_none(config.to_dict() | {'seed': seed})
        return Run(described['label'], file, overrides, seed, whole, is_rehearsal)

    runs = tuple(run(seed) for seed in seeds)
    for each in runs:
        check(each.config)
    network(_without_limit(runs[0].config))  # whether there is such a one
    published, text = described['published'], described['published_text']
    return Row(described['label'], described['group'], runs, published, text, window)


def _without_limit(config: Mapping[str, Any]) -> dict[str, Any]:
    """The config, its network of any size."""
    model = config['model']
    return {**config, 'model': model | {'parameter_limit': 0} if 'parameter_limit' in model else model}


def _compared(row: Row) -> dict[str, Any]:
    """What makes a row's runs what they are."""
    flat = flatten(row.runs[0].config)
    return {name: value for name, value in flat.items() if not name.startswith(('seed', *NOT_COMPARED))}


def _title(row: Row) -> str:
    return f'{row.label} ({row.group})' if row.group else row.label


def _without_slashes(file: str) -> str:
    """The argument of a study, such as 1,1/2, is to be part of one folder's name."""
    path, colon, argument = file.partition(':')
    return path + colon + argument.replace('/', '_')


def with_seeds_of(plan: Plan, former: Mapping[str, Any]) -> Plan:
    """The plan with the seeds whose runs are already there from earlier, by the former description of the study."""
    there = {
        run['seed']
        for row in former['rows']
        for run in row['runs']
        if (plan.folder / run.get('result', run['folder'])).exists()
    }
    seeds = sorted({run.seed for run in plan.runs} | there)

    def widened(row: Row) -> Row:
        by_seed = {run.seed: run for run in row.runs}
        first = row.runs[0]
        runs = [by_seed.get(s) or replace(first, seed=s, config={**first.config, 'seed': s}) for s in seeds]
        return replace(row, runs=tuple(runs))

    return replace(plan, rows=tuple(map(widened, plan.rows)))
