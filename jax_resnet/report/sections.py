"""The content of a report: a section for each study, made of rows. The runs of a row differ only in the seed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean, median, stdev
from typing import Any

from jax_resnet.errors import ConfigError
from jax_resnet.runs.run import FINISHED, Run

EpochRange = tuple[float, float]
"""The first and the last epoch."""


@dataclass(frozen=True, eq=False)
class Row:
    """A row of a table: the runs of one recipe, and the published error.

    Attributes:
        label: the name of the row.
        group: rows of one group are drawn in one picture.
        runs: one for each seed, finished or not.
        published: the published error in %, or None.
        published_text: a text to show instead, such as 'fail'.
        window: the first and last epoch of a mean, or None.
        measure: which of our numbers is compared with the published error: one of `runs.schemas.Measure`.
    """

    label: str
    group: str
    runs: Sequence[Run]
    published: float | None = None
    published_text: str = ''
    window: EpochRange | None = None
    measure: str = 'final'

    def __post_init__(self) -> None:
        started = [run for run in self.runs if run.config is not None]
        for run in started[1:]:
            first, other = started[0].recipe, run.recipe
            for name in sorted({*first, *other}):
                # A field that one run lacks is newer than that run. A field of `model` is an argument that was not set.
                is_shared = name in first.keys() & other.keys() or name.startswith('model.')
                is_shared &= name != 'dataset.folder'  # which may move between two runs of a study
                if is_shared and first.get(name) != other.get(name):
                    raise ConfigError(
                        f'{self.label}: its runs must have the same recipe; config.{name} is '
                        f'{first.get(name)!r} in {started[0].folder}, {other.get(name)!r} in {run.folder}'
                    )

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
    def std(self) -> float | None:
        """The standard deviation of the final test errors over seeds; None for fewer than two finished runs."""
        errors = self.values('final_test_error')
        return stdev(errors) if len(errors) > 1 else None

    @property
    def median(self) -> float | None:
        errors = self.values('final_test_error')
        return median(errors) if errors else None

    @property
    def protocol(self) -> str | None:
        """The protocol of the last test of the finished runs; None if it used only the central crop."""
        return next((run.summary['protocol'] for run in self.finished if 'protocol' in run.summary), None)

    @cached_property
    def in_window(self) -> tuple[float, float, float] | None:
        """Least, greatest and mean test error of all finished runs in the window; None if a run ends before its end."""
        errors = self._errors_in_window
        flat = [error for errors_of_run in errors for error in errors_of_run]
        return (min(flat), max(flat), fmean(map(fmean, errors))) if errors else None

    @cached_property
    def _errors_in_window(self) -> list[list[float]]:
        """The test errors of each finished run in the window; [] if a run ends before its end, or has none there."""
        if self.window is None:
            return []
        first, last = self.window
        errors = []
        for run in self.finished:
            if not run.metrics or run.metrics[-1]['epoch'] < last:
                return []
            # The evaluation of an epoch takes place at the first step that completes the epoch.
            lines = [line for line in run.metrics if first <= line['epoch'] < last + line['epoch'] / line['step']]
            errors.append([line['test_error'] for line in lines])
        return errors if all(errors) else []

    @property
    def measured_in_runs(self) -> list[float]:
        """The number of each finished run from which `measured` is computed; [] if it is unknown."""
        if self.measure == 'window' and self.window:
            return [*map(fmean, self._errors_in_window)]
        return self.values('protocol_test_error' if self.measure == 'protocol' else 'final_test_error')

    @property
    def measured(self) -> float | None:
        """Our number to compare with the published one. `measure` says which it is."""
        values = self.measured_in_runs
        if not values:
            return None
        return median(values) if self.measure == 'median' else fmean(values)


@dataclass(frozen=True, eq=False)
class Section:
    """A study, or the runs without a study.

    Attributes:
        name: a short name, for files, different for each section of a report.
        question: the title of the section.
        about: the rest of the study's docstring.
        source: who published the numbers.
        rows: the rows of the table.
        changes: the fields that were changed in every run, by dotted name.
        is_rehearsal: whether the runs are rehearsals.
        notes: lines to show with the table.
    """

    name: str
    question: str
    about: str
    source: str
    rows: Sequence[Row]
    changes: Mapping[str, Any]
    is_rehearsal: bool
    notes: Sequence[str]

    @cached_property
    def groups(self) -> dict[str, list[Row]]:
        """The rows that are drawn in one picture and compared, by the name of the group. All have one length."""
        groups: dict[str, list[Row]] = {}
        for row in self.rows:
            times = row.config.get('shorten', 1)
            parts = [row.group, 'rehearsal on the digits' if self.is_rehearsal else '']
            parts += [f'shortened {times} times'] if times > 1 else []
            groups.setdefault(', '.join(filter(None, parts)), []).append(row)
        return groups

    @property
    def varied(self) -> dict[str, list[Any]]:
        """The config fields that differ between rows, by dotted name, with one value for each row."""
        configs = [row.config for row in self.rows]
        known = [config for config in configs if config]
        names = list(dict.fromkeys(name for config in known for name in config))
        return {
            name: [config.get(name, '') if config else '' for config in configs]
            for name in names
            if len({repr(config.get(name)) for config in known}) > 1
        }

    def difference(self, row: Row) -> float | None:
        """Returns our error minus the published one, in points; None if one is missing, or in a shortened recipe."""
        if row.published is None or row.measured is None or self.is_rehearsal or row.config.get('shorten', 1) > 1:
            return None
        return row.measured - row.published

    @property
    def only_run(self) -> Run | None:
        """The run of a section that has only one, else None."""
        runs = [run for row in self.rows for run in row.runs]
        return runs[0] if len(runs) == 1 else None

    def count(self, state: str) -> int:
        return sum(run.state == state for row in self.rows for run in row.runs)
