"""What a report is made of: a section a study, of rows whose runs differ in the seed alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean, median, stdev
from typing import Any

from jax_resnet.errors import ConfigError
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
        measure: what is compared with the published error: one of `runs.schemas.MEASURES`.
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

    @property
    def protocol(self) -> str | None:
        """Of the last test of its finished runs, where it is not the central crop alone."""
        return next((run.summary['protocol'] for run in self.finished if 'protocol' in run.summary), None)

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
        if self.measure == 'protocol':
            return self.mean('protocol_test_error')
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

    @property
    def only_run(self) -> Run | None:
        """Its run, where it has one alone."""
        runs = [run for row in self.rows for run in row.runs]
        return runs[0] if len(runs) == 1 else None

    def count(self, state: str) -> int:
        return sum(run.state == state for row in self.rows for run in row.runs)
