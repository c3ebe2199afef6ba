"""Sentences that answer the question of a section from its numbers, and claim no more than the numbers show."""

import re
from collections.abc import Sequence
from math import sqrt
from typing import NamedTuple

from jax_resnet.report.sections import Measured, Row, Section
from jax_resnet.runs.run import FAILED


class Answer(NamedTuple):
    """The answer for a group of rows.

    Attributes:
        group: the name of the group.
        sentence: which row is best, by how much, and whether seeds may explain it; '' if no run is finished.
        details: a sentence on the largest error; '' with less than three rows.
    """

    group: str
    sentence: str
    details: str

    def __str__(self) -> str:
        told = f'{self.sentence} {self.details}'.strip()
        return f'{_capital(self.group)}: {told}' if self.group and told else told


def answers(section: Section) -> list[Answer]:
    """Returns an answer for each group of rows, by the errors of the first column of the table."""
    return [_answer(section, group, rows) for group, rows in section.groups.items()]


def _answer(section: Section, group: str, rows: Sequence[Row]) -> Answer:
    name, details, ranked = section.measure_name, '', section.ranked(rows)
    if not ranked:
        return Answer(group, '', '')
    best, row = ranked[0]
    if len(rows) == 1:
        sentence = f'The {name} of {row.label} is {best} %.'
    elif len(ranked) == 1:
        sentence = f'Only {row.label} is finished, with a {name} of {best} %.'
    else:
        second, other = ranked[1]
        sentence = (
            f'{row.label} has the smallest {name}, {best} %, {second.error - best.error:.2f} points below '
            f'{other.label}, {_beyond(ranked[0], ranked[1])}.'
        )
    if len(ranked) > 2:
        worst, last = ranked[-1]
        details = (
            f'{last.label} has the largest, {worst} %, {worst.error - best.error:.2f} points above {row.label}, '
            f'{_beyond(ranked[0], ranked[-1])}.'
        )
    return Answer(group, _capital(sentence), _capital(details))


def _beyond(better: tuple[Measured, Row], worse: tuple[Measured, Row]) -> str:
    """Says whether the difference of two rows is larger than the spread over seeds.

    It is if it is more than twice its standard error, and every run of `better` is better than every run of `worse`.
    If a run of `better` failed, nothing is claimed.
    """
    (low, row), (high, _) = better, worse
    if failed := sum(run.state == FAILED for run in row.runs):
        return f'but {failed} of {len(row.runs)} runs of {row.label} failed'
    if low.std is None or high.std is None:
        return 'perhaps by chance, as a row has only one run'
    error = sqrt(low.std**2 / len(low.errors) + high.std**2 / len(high.errors))
    is_larger = max(low.errors) < min(high.errors) and high.error - low.error > 2 * error
    return f'{"more than" if is_larger else "within"} the spread over seeds (standard error {error:.2f})'


def _capital(sentence: str) -> str:
    word, *_ = re.split(r'\s', sentence)
    return sentence[:1].upper() + sentence[1:] if word.isalpha() else sentence  # not the name of a config
