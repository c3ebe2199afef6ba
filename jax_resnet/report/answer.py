"""Sentences that answer the question of a section from its numbers, and claim no more than the numbers show."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import fmean, stdev

from jax_resnet.report import wording
from jax_resnet.report.columns import further_errors, with_spread
from jax_resnet.report.sections import Row, Section
from jax_resnet.runs.run import FAILED

FINAL = 'final test error'


@dataclass(frozen=True)
class _Measured:
    """A row with an error of each of its finished runs, and their mean or median."""

    row: Row
    values: Sequence[float]
    error: float

    @property
    def label(self) -> str:
        return self.row.label

    @property
    def std(self) -> float | None:
        return stdev(self.values) if len(self.values) > 1 else None

    @property
    def failed(self) -> int:
        """The number of failed runs."""
        return sum(run.state == FAILED for run in self.row.runs)

    def __str__(self) -> str:
        return f'{with_spread(self.error, self.std)} %'


def answers(section: Section) -> list[str]:
    """Returns a paragraph for each group of rows: which row is best, by how much, and whether seeds may explain it.

    Rows are compared by what the study's published numbers measure, if all of them have it; else by the final test
    error.
    """
    return [text for group, rows in section.groups.items() if (text := _answer(section, group, rows))]


def _answer(section: Section, group: str, rows: Sequence[Row]) -> str:
    name, measured = _measured(rows)
    ranked = sorted(measured, key=lambda one: one.error)
    left_out = [row.label for row in rows if not row.finished]
    sentences = []
    if len(ranked) == 1 and len(rows) == 1:
        sentences.append(f'The {name} of {ranked[0].label} is {ranked[0]}{_further(ranked[0].row, name)}.')
    elif len(ranked) == 1:
        sentences.append(f'Only {ranked[0].label} is finished, with a {name} of {ranked[0]}.')
    elif ranked:
        best, second, worst = ranked[0], ranked[1], ranked[-1]
        gap = second.error - best.error
        if gap < 0.005:
            sentences.append(f'{best.label} and {second.label} have the same {name}, {best.error:.2f} %.')
        else:
            sentences.append(
                f'{best.label} has the smallest {name}, {best}, {gap:.2f} points below the {second.error:.2f} % of '
                f'{second.label}; {_beyond(best, second)}.'
            )
        if worst is not second:
            sentences.append(
                f'{worst.label} has the largest, {worst}, {worst.error - best.error:.2f} points above {best.label}; '
                f'{_beyond(best, worst)}.'
            )
    failed = [f'{one.label} ({one.failed} of {len(one.row.runs)})' for one in ranked if one.failed]
    if failed:
        sentences.append(f'These errors do not include failed runs: {", ".join(failed)}.')
    if ranked and left_out:
        sentences.append(f'Not compared, since they have no finished run: {", ".join(left_out)}.')
    differences = [(d, one.label) for one in ranked if (d := section.difference(one.row)) is not None]
    if differences:
        largest, label = max(differences, key=lambda pair: abs(pair[0]))
        sentences.append(
            f'Compared with {len(differences)} published {"number" if len(differences) == 1 else "numbers"}, the '
            f'largest difference is {largest:+.2f} points ({label}).'
        )
    text = (f'{group}: ' if group and sentences else '') + ' '.join(sentences)
    return text[:1].upper() + text[1:]


def _measured(rows: Sequence[Row]) -> tuple[str, list[_Measured]]:
    """Returns the rows that have finished runs, with the errors to compare; and the name of these errors."""
    finished = [row for row in rows if row.finished]
    by_measure = [
        _Measured(row, row.measured_in_runs, measured) for row in finished if (measured := row.measured) is not None
    ]
    if len({_name(row) for row in finished}) == 1 and len(by_measure) == len(finished):
        return _name(finished[0]), by_measure
    finals = [(row, row.values('final_test_error')) for row in finished]
    return FINAL, [_Measured(row, values, fmean(values)) for row, values in finals]


def _name(row: Row) -> str:
    """Names the errors of `Row.measured_in_runs`."""
    if row.measure == 'protocol':
        return f'{wording.value_name(row.protocol, "pictures.protocol")} test error'
    if row.measure == 'median':
        return 'median of the final test errors'
    if row.measure == 'window' and row.window:
        return f'mean test error over epochs {row.window[0]:g} to {row.window[1]:g}'
    return FINAL


def _beyond(better: _Measured, worse: _Measured) -> str:
    """Says whether the difference of two rows is larger than the spread over seeds.

    It is if it is more than twice its standard error, and every run of `better` is better than every run of `worse`.
    If a run of `better` failed, nothing is claimed.
    """
    if better.failed:
        return f'but {better.failed} of {len(better.row.runs)} runs of {better.label} failed'
    if better.std is None or worse.std is None:
        return 'as a row has only one run, the spread over seeds is not known, and the difference may be chance'
    error = sqrt(better.std**2 / len(better.values) + worse.std**2 / len(worse.values))
    runs = f'{len(better.values)} and {len(worse.values)} runs'
    do_not_overlap = max(better.values) < min(worse.values)
    if do_not_overlap and worse.error - better.error > 2 * error:
        return f'the difference is larger than the spread over seeds (standard error {error:.2f} points, {runs})'
    return f'the difference is within the spread over seeds (standard error {error:.2f} points, {runs})'


def _further(row: Row, name: str) -> str:
    """Returns the further errors of a row, except `name`: '; the top-5 error is 7.13 %'."""
    further = further_errors(row).items()
    return ''.join(f'; the {head} is {error:.2f} %' for head, error in further if head != name)
