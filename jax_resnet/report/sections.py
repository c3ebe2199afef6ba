"""The content of a report: sections, which ask a question, made of rows, whose runs differ only in the seed."""

import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import count
from pathlib import Path
from statistics import fmean, median, stdev
from typing import Any, NamedTuple, TypeVar

from jax_resnet.config.identity import differences
from jax_resnet.errors import ConfigError
from jax_resnet.report import wording
from jax_resnet.runs import run as run_folders
from jax_resnet.runs import schemas
from jax_resnet.runs.run import FINISHED, Run

S = TypeVar('S')
T = TypeVar('T')

RUNS = 'runs'
"""Name of the section of runs without a study."""

PROTOCOLS = {'ten_crop': '10-crop', 'multi_scale': 'multi-scale'}
"""The papers' words for protocols of the last test."""


class Measured(NamedTuple):
    """The error of a row: the mean of the errors of its finished runs, or their median; with their spread."""

    error: float
    std: float | None
    errors: Sequence[float]

    def __str__(self) -> str:
        return f'{self.error:.2f}' + ('' if self.std is None else f' ± {self.std:.2f}')


@dataclass(frozen=True, eq=False)
class Row:
    """A row of a table: the runs of one recipe, and the published error.

    Attributes:
        label: the name of the row, different from the other rows of its group.
        group: rows of one group are compared with each other, and drawn in one picture.
        runs: one for each seed, finished or not.
        published: the published error in %, or None.
        published_text: what to show instead, such as 'fail'.
        window: the first and last epoch of a mean, or None.
    """

    label: str
    group: str
    runs: Sequence[Run]
    published: float | None = None
    published_text: str = ''
    window: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        started = [(run.folder, run.config) for run in self.runs if run.config is not None]
        for folder, config in started[1:]:
            if found := '; '.join(differences(started[0][1], config, may_differ=('seed',))):
                raise ConfigError(f'{folder}: must have the recipe of {started[0][0]}; {found}')

    @cached_property
    def finished(self) -> list[Run]:
        return [run for run in self.runs if run.state == FINISHED]

    @property
    def config(self) -> Mapping[str, Any]:
        """The config of its runs, as `Run.recipe`; empty if no run was started."""
        return next((run.recipe for run in self.runs if run.config is not None), {})

    def values(self, name: str) -> list[float]:
        """Returns a field of the summaries of the finished runs, without None."""
        return [run.summary[name] for run in self.finished if run.summary.get(name) is not None]

    def mean(self, name: str) -> float | None:
        """Returns the mean of such a field, or None if it has no values."""
        values = self.values(name)
        return fmean(values) if values else None

    @property
    def protocol(self) -> str | None:
        """The protocol of the last test of the finished runs; None if it used only the central crop."""
        return next((run.summary['protocol'] for run in self.finished if 'protocol' in run.summary), None)

    @cached_property
    def in_window(self) -> list[float]:
        """The mean test error of each finished run in the window; [] if it is not known of all."""
        first, last = self.window or (0, float('inf'))
        means = []
        for run in self.finished:
            # The evaluation of an epoch takes place at the first step that completes the epoch.
            lines = [line for line in run.metrics if first <= line['epoch'] < last + line['epoch'] / line['step']]
            if not lines or run.metrics[-1]['epoch'] < last:
                return []
            means.append(fmean(line['test_error'] for line in lines))
        return means

    def errors(self, measure: str) -> list[float]:
        """Returns an error of each finished run by one of `runs.schemas.Measure`; [] if it is not known of all."""
        if measure == 'window':
            return self.in_window
        errors = self.values('protocol_test_error' if measure == 'protocol' else 'final_test_error')
        return errors if len(errors) == len(self.finished) else []


@dataclass(frozen=True, eq=False)
class Section:
    """A study, or the runs without a study.

    Attributes:
        name: a short name, for files, different for each section of a report.
        question: the title of the section.
        rows: the rows of the table.
        about: the rest of the study's docstring.
        source: who published the numbers.
        published_measure: what the published numbers are, one of `runs.schemas.Measure`.
        changes: the fields that were changed in every run, by dotted name.
        is_rehearsal: whether the runs are rehearsals.
        notes: lines about what was left out.
    """

    name: str
    question: str
    rows: Sequence[Row]
    about: str = ''
    source: str = ''
    published_measure: str = 'final'
    changes: Mapping[str, Any] | None = None
    is_rehearsal: bool = False
    notes: Sequence[str] = ()

    @cached_property
    def measure(self) -> str:
        """By what rows are compared: by what the published numbers are if all rows have it, else by the final error."""
        rows = [row for row in self.rows if row.finished]
        is_one = len({(row.window, row.protocol) for row in rows}) == 1
        has_all = all(row.errors(self.published_measure) for row in rows)
        return self.published_measure if is_one and has_all else 'final'

    @property
    def measure_name(self) -> str:
        row = next((row for row in self.rows if row.finished), None)
        if row is not None and self.measure == 'protocol' and row.protocol:
            return f'{PROTOCOLS[row.protocol]} test error'
        if row is not None and self.measure == 'window' and row.window:
            return f'mean test error over epochs {row.window[0]:g} to {row.window[1]:g}'
        return 'median of the final test errors' if self.measure == 'median' else 'final test error'

    def measured(self, row: Row) -> Measured | None:
        """Returns the error of a row by `measure`; None if it has no finished run."""
        errors = row.errors(self.measure)
        if not errors:
            return None
        error = median(errors) if self.measure == 'median' else fmean(errors)
        return Measured(error, stdev(errors) if len(errors) > 1 else None, errors)

    def difference(self, row: Row) -> float | None:
        """Returns our error minus the published one, in points; None if one is missing, or they are other measures."""
        measured = self.measured(row)
        if row.published is None or measured is None or self.measure != self.published_measure:
            return None
        return measured.error - row.published

    @cached_property
    def groups(self) -> dict[str, list[Row]]:
        """The rows that are compared with each other, by the name of their group."""
        groups: dict[str, list[Row]] = {}
        for row in self.rows:
            groups.setdefault(row.group, []).append(row)
        return groups

    def ranked(self, rows: Sequence[Row]) -> list[tuple[Measured, Row]]:
        """Returns the rows that have an error, the smallest error first."""
        found = [(measured, row) for row in rows if (measured := self.measured(row))]
        return sorted(found, key=lambda pair: pair[0].error)

    @property
    def best(self) -> list[Row]:
        """The row with the smallest error of each group that has several finished rows."""
        return [ranked[0][1] for ranked in map(self.ranked, self.groups.values()) if len(ranked) > 1]

    @property
    def shared(self) -> list[str]:
        """What holds for all runs and is not in the recipes that the rows name."""
        rehearsal = ['rehearsal on the digits'] if self.is_rehearsal else []
        return [*rehearsal, *(wording.phrase(*change) for change in (self.changes or {}).items())]

    @property
    def title(self) -> str:
        return self.question + (f' ({"; ".join(self.shared)})' if self.shared else '')

    @property
    def runs(self) -> list[tuple[Row, Run]]:
        return [(row, run) for row in self.rows for run in row.runs]


def varied(rows: Sequence[Row]) -> dict[str, list[Any]]:
    """Returns the config fields that differ between rows, by dotted name, with one value for each row."""
    known = [row.config for row in rows if row.config]
    names = dict.fromkeys(name for config in known for name in config)
    return {
        name: [row.config.get(name, '') for row in rows]
        for name in names
        if len({repr(config.get(name)) for config in known}) > 1
    }


def read(paths: Sequence[str | Path]) -> list[Section]:
    """Makes the sections of a report on the run folders and studies in these folders and their subfolders.

    A damaged run or study is left out. A note in its section, or in the last one, says so.

    Raises:
        ConfigError: a path does not exist or has no runs and studies; or all of them are damaged.
    """
    studies, folders = run_folders.find(paths)
    left_out: list[str] = []
    sections: list[Section] = []
    for section in _undamaged(_study, studies, left_out):
        sections.append(replace(section, name=_unused(section.name, {RUNS, *(other.name for other in sections)})))
    taken = {run.folder.resolve() for section in sections for _, run in section.runs}
    without_study = [folder for folder in folders if folder.resolve() not in taken]
    if runs := _once([*_undamaged(run_folders.read, without_study, left_out)], left_out):
        rows = _rows(runs)
        title = rows[0].label if len(rows) == 1 else 'Runs'
        sections.append(Section(RUNS, title, rows))
    left_out = [line for line in left_out if not any(line in section.notes for section in sections)]
    if not sections:
        raise ConfigError(left_out[0].removeprefix('Left out: '))
    sections[-1] = replace(sections[-1], notes=[*sections[-1].notes, *left_out])
    return sections


def _unused(name: str, used: Collection[str]) -> str:
    """Returns the name, or the first of name-v2, name-v3 and so on that is not used."""
    names = (f'{name}-v{i}' if i > 1 else name for i in count(1))
    return next(name for name in names if name not in used)


def _undamaged(read_one: Callable[[S], T], sources: Iterable[S], left_out: list[str]) -> Iterable[T]:
    """Yields what is read from each source. For each source that is damaged, it adds a line to `left_out`."""
    for source in sources:
        try:
            yield read_one(source)
        except ConfigError as e:
            left_out.append(f'Left out: {" ".join(str(e).split())}')


def _once(runs: Sequence[Run], left_out: list[str]) -> list[Run]:
    """Leaves out copies of runs, of one recipe and seed. A finished one stays."""
    kept: dict[str, Run] = {}
    for run in sorted(runs, key=lambda run: run.state != FINISHED):
        same = kept.setdefault(repr((run.seed, sorted(run.recipe.items(), key=str))), run)
        if same is not run:
            left_out.append(f'Left out: {run.folder}, with the recipe and seed of {same.folder}')
    return [run for run in runs if run in kept.values()]


def _study(path: Path) -> Section:
    study = schemas.read(path, schemas.Study)
    left_out: list[str] = []

    def run(planned: tuple[int, str]) -> Run:
        seed, folder = planned
        return run_folders.read(Path(os.path.normpath(path.parent / folder)), seed)

    rows = []
    for row in study['rows']:
        runs = [*_undamaged(run, row['runs'].items(), left_out)]
        rows.append(Row(row['label'], row['group'], runs, row['published'], row['published_text'], row['window']))
    if study['changes'] or study['is_rehearsal']:  # the published numbers belong to the unchanged recipe
        rows = [replace(row, published=None, published_text='') for row in rows]
    return Section(
        name=study['study'],
        question=study['question'],
        rows=rows,
        about=study['about'],
        source=study['source'],
        published_measure=study['measure'],
        changes=study['changes'],
        is_rehearsal=study['is_rehearsal'],
        notes=[*study['notes'], *left_out],
    )


def _rows(runs: Sequence[Run]) -> list[Row]:
    """Makes the rows of runs without a study. Runs that differ only in the seed share a row.

    Rows are compared if they have the same data set and length of training. What they share is in the group's name.
    """
    by_recipe: dict[str, list[Run]] = {}
    for run in sorted(runs, key=lambda run: run.seed):
        by_recipe.setdefault(repr(sorted(run.recipe.items(), key=str)), []).append(run)
    groups: dict[tuple[Any, ...], list[list[Run]]] = {}
    for same in by_recipe.values():
        key = tuple(same[0].recipe.get(field) for field in ('dataset.name', 'train_for', 'shorten'))
        groups.setdefault(key, []).append(same)
    rows: list[Row] = []
    for (data, length, times), group in groups.items():
        changes = [_changes(same[0], [other[0] for other in group]) for same in group]
        shared = {
            field: value
            for field, value in changes[0].items()
            if len(group) > 1 and all(field in other and other[field] == value for other in changes)
        }
        if sum(name == data for name, *_ in groups) > 1:
            shared = {'train_for': length, **({'shorten': times} if times > 1 else {}), **shared}
        title = wording.label(f'on {data}', shared)
        used: list[str] = []
        for same, changed in zip(group, changes, strict=True):
            label = wording.label(same[0].name, {field: changed[field] for field in changed if field not in shared})
            used.append(label)
            number = f' ({used.count(label)})' if used.count(label) > 1 else ''
            rows.append(Row(label + number, title, same))
    return rows


def _changes(run: Run, others: Sequence[Run]) -> dict[str, Any]:
    """Returns the fields that a run without a study changes in its config.

    If it has no config file, the fields in which it differs from other runs of that name.
    """
    if run.file is not None:
        return dict(run.changes)
    alike = [other for other in others if other.name == run.name]
    return {k: v for k, v in run.recipe.items() if any(other.recipe.get(k) != v for other in alike)}
