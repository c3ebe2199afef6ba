"""What a report is made of: a section a study, of rows whose runs differ in the seed alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from statistics import fmean, median, stdev
from typing import Any

from jax_resnet.errors import ConfigError
from jax_resnet.runs import find
from jax_resnet.runs import run as run_folders
from jax_resnet.runs.run import FINISHED, Run

Window = tuple[float, float]


@dataclass(frozen=True, eq=False)
class Row:
    """A row of a table: runs of one recipe, and what is published.

    Attributes:
        label, group: what it is called, and the rows it is drawn with.
        runs: by seed, finished or not.
        published: error in %, or None; `published_text` is said in its place.
        window: first and last epoch of a mean, or None.
        measure: what is compared with the published error: 'final', 'median' or 'window'.
    """

    label: str
    group: str
    runs: Sequence[Run]
    published: float | None = None
    published_text: str = ''
    window: Window | None = None
    measure: str = 'final'

    def __post_init__(self) -> None:
        there = [run for run in self.runs if run.config]
        for run in there[1:]:
            first, other = there[0].recipe, run.recipe
            for name in sorted({*first, *other}):
                # A field that one lacks is of a later version; a network's is an argument that was not given.
                is_shared = name in first.keys() & other.keys() or name.startswith('model.')
                if is_shared and first.get(name) != other.get(name):
                    raise ConfigError(
                        f'{self.label}: its runs have different recipes, and cannot share a row: config.{name} is '
                        f'{first.get(name)!r} in {there[0].folder}, {other.get(name)!r} in {run.folder}'
                    )

    @cached_property
    def finished(self) -> list[Run]:
        return [run for run in self.runs if run.state == FINISHED]

    @property
    def config(self) -> Mapping[str, Any]:
        """Of its runs, but for the seed; empty where none was started."""
        return next((run.recipe for run in self.runs if run.config), {})

    def values(self, name: str) -> list[float]:
        """A field of the summaries of the finished runs."""
        return [run.summary[name] for run in self.finished if run.summary.get(name) is not None]

    def mean(self, name: str) -> float | None:
        """Its mean, or None where no run is finished."""
        values = self.values(name)
        return fmean(values) if values else None

    @property
    def std(self) -> float | None:
        """Standard deviation of the final errors over seeds; None for less than two runs."""
        errors = self.values('final_test_error')
        return stdev(errors) if len(errors) > 1 else None

    @property
    def median(self) -> float | None:
        errors = self.values('final_test_error')
        return median(errors) if errors else None

    @cached_property
    def in_window(self) -> tuple[float, float, float] | None:
        """Least, greatest and mean test error over the window, of all finished runs; None where one ends before it."""
        if self.window is None or not self.finished:
            return None
        first, last = self.window
        errors = []
        for run in self.finished:
            if not run.metrics or run.metrics[-1]['epoch'] < last:
                return None
            # What falls due at an epoch is evaluated at the first step that completes it.
            lines = [line for line in run.metrics if first <= line['epoch'] < last + line['epoch'] / line['step']]
            errors.append([line['test_error'] for line in lines])
        flat = [error for one in errors for error in one]
        return (min(flat), max(flat), fmean(map(fmean, errors))) if all(errors) else None

    @property
    def compared(self) -> float | None:
        """Our number that is of the kind of the published one."""
        if self.measure == 'window' and self.window:
            return self.in_window[2] if self.in_window else None
        return self.median if self.measure == 'median' else self.mean('final_test_error')


@dataclass(frozen=True, eq=False)
class Section:
    """A study, or runs that belong to none.

    Attributes:
        name: a short name, for files; each section of a report has its own.
        question: its title; `about` is the rest of what the study says of itself.
        source: who published the numbers.
        rows: of its table.
        changes: what was changed in every run, by dotted name.
        is_rehearsal: whether its runs are.
        notes: lines of the study's.
    """

    name: str
    question: str
    about: str
    source: str
    rows: Sequence[Row]
    changes: Mapping[str, str]
    is_rehearsal: bool
    notes: Sequence[str]

    @cached_property
    def groups(self) -> dict[str, list[Row]]:
        """The rows by the picture that they are drawn in; those of a rehearsal say so."""
        groups: dict[str, list[Row]] = {}
        for row in self.rows:
            name = ', '.join(part for part in (row.group, 'rehearsal on the digits' * self.is_rehearsal) if part)
            groups.setdefault(name, []).append(row)
        return groups

    @property
    def varied(self) -> dict[str, list[Any]]:
        """By dotted name, the fields of the configs that differ between rows, with the value of each row."""
        configs = [row.config for row in self.rows]
        there = [config for config in configs if config]
        names = list(dict.fromkeys(name for config in there for name in config))
        return {
            name: [config.get(name, '') if config else '' for config in configs]
            for name in names
            if len({repr(config.get(name)) for config in there}) > 1
        }

    def difference(self, row: Row) -> float | None:
        """Ours less the published error, in points; None for a rehearsal, which can be compared with nothing."""
        if row.published is None or row.compared is None or self.is_rehearsal:
            return None
        return row.compared - row.published

    def count(self, state: str) -> int:
        return sum(run.state == state for row in self.rows for run in row.runs)


def read(paths: Sequence[str | Path]) -> list[Section]:
    """The sections of a report on run folders and studies at or beneath the paths.

    Raises:
        ConfigError: nothing there, damaged files, or a row of a study whose runs have different recipes.
    """
    studies, folders = find.find(paths)
    sections: list[Section] = []
    for path in studies:
        section = _of_study(path)
        same = sum(other.name.partition('-')[0] == section.name for other in sections)
        sections.append(replace(section, name=f'{section.name}-{same + 1}') if same else section)
    taken = {run.folder.resolve() for section in sections for row in section.rows for run in row.runs}
    others = [run_folders.read(folder) for folder in folders if folder.resolve() not in taken]
    return sections + ([_of_runs(others)] if others else [])


def _of_study(path: Path) -> Section:
    try:
        study = find.read_study(path)
        rows = [
            Row(
                label=row['label'],
                group=row['group'],
                runs=[_of_study_row(path.parent, run) for run in row['runs']],
                published=row['published'],
                published_text=row['published_text'],
                window=row['window'] and tuple(row['window']),
                measure=study['measure'],
            )
            for row in study['rows']
        ]
        return Section(
            name=study['study'],
            question=study['question'],
            about=study['about'],
            source=study['source'],
            rows=rows,
            changes=study['changes'],
            is_rehearsal=study['is_rehearsal'],
            notes=study['notes'],
        )
    except (ValueError, KeyError, TypeError) as e:
        if isinstance(e, ConfigError):
            raise
        raise ConfigError(f'{path} is no description of a study ({type(e).__name__}: {e})') from None


def _of_study_row(folder: Path, described: Mapping[str, Any]) -> Run:
    """A run of a study: of its folder, or where that is not finished, of its result, if there is one."""
    run = run_folders.read(_join(folder, described['folder']), described['seed'])
    result = described.get('result')
    return run if run.state == FINISHED or not result else run_folders.read(_join(folder, result))


def _of_runs(runs: Sequence[Run]) -> Section:
    """Runs of no study: a row for those that differ in the seed alone, called by its folder and what is special."""
    by_recipe: dict[str, list[Run]] = {}
    for run in sorted(runs, key=lambda run: run.seed):
        by_recipe.setdefault(repr(sorted(run.recipe.items(), key=str)), []).append(run)
    rows: list[Row] = []
    for same in by_recipe.values():
        name, data = _config_name(same[0]), same[0].config.get('dataset.name')
        alike = [other[0] for other in by_recipe.values() if _config_name(other[0]) == name]
        special = [
            f'{field.rpartition(".")[2]}={value}'
            for field, value in same[0].recipe.items()
            if any(other.recipe.get(field) != value for other in alike)
        ]
        label = ', '.join([name, *special[:3], *(['rehearsal'] if same[0].is_rehearsal else [])])
        used = sum(row.label.partition(' (')[0] == label for row in rows)
        rows.append(Row(f'{label} ({used + 1})' if used else label, f'on {data}', same))
    is_rehearsal = all(run.is_rehearsal for run in runs)
    return Section('runs', 'Runs', '', '', rows, {}, is_rehearsal, ())


def _config_name(run: Run) -> str:
    """The folder beneath `runs` or `results` that a run lies in, which names its config; else the last of its path."""
    parts = run.folder.resolve().parts
    root = 'results' if run.folder.suffix == '.json' else 'runs'
    return parts[parts.index(root) + 1] if root in parts[:-2] else parts[-2 if parts[-1].startswith('seed') else -1]


def _join(folder: Path, relative: str) -> Path:
    """`folder/relative` without its '..'; the folder itself may be a relative path."""
    parts = list(folder.parts)
    for part in Path(relative).parts:
        if part == '..' and parts and parts[-1] != '..':
            parts.pop()
        else:
            parts.append(part)
    return Path(*parts)
