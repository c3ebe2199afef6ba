"""Sentences that answer the question of a section from its numbers, and claim no more than the numbers show."""

from collections.abc import Sequence
from math import sqrt

from jax_resnet.report.columns import further_errors
from jax_resnet.report.sections import Row, Section


def answers(section: Section) -> list[str]:
    """Returns a paragraph for each group of rows: which row is best, by how much, and whether seeds may explain it."""
    return [text for group, rows in section.groups.items() if (text := _answer(section, group, rows))]


def _answer(section: Section, group: str, rows: Sequence[Row]) -> str:
    ranked = sorted((row for row in rows if row.finished), key=_error)
    left_out = [row.label for row in rows if not row.finished]
    sentences = []
    if len(ranked) == 1 and len(rows) == 1:
        sentences.append(f'The final test error of {ranked[0].label} is {_percent(ranked[0])}{_further(ranked[0])}.')
    elif len(ranked) == 1:
        sentences.append(f'Only {ranked[0].label} is finished, with a final test error of {_percent(ranked[0])}.')
    elif ranked:
        best, second, worst = ranked[0], ranked[1], ranked[-1]
        gap = _error(second) - _error(best)
        if gap < 0.005:
            sentences.append(f'{best.label} and {second.label} have the same final test error, {_error(best):.2f} %.')
        else:
            sentences.append(
                f'{best.label} has the least final test error, {_percent(best)}, {gap:.2f} points below {second.label}'
                f"'s {_error(second):.2f} %; {_beyond(best, second)}."
            )
        if worst is not second:
            sentences.append(
                f'The greatest is that of {worst.label}, {_percent(worst)}, {_error(worst) - _error(best):.2f} points '
                f'above the least; {_beyond(best, worst)}.'
            )
    if ranked and left_out:
        sentences.append(f'Not compared, as no run of theirs is finished: {", ".join(left_out)}.')
    differences = [(d, row) for row in ranked if (d := section.difference(row)) is not None]
    if differences:
        largest, row = max(differences, key=lambda pair: abs(pair[0]))
        sentences.append(
            f'Against {len(differences)} published number{"s" if len(differences) > 1 else ""}, the largest '
            f'difference is {largest:+.2f} points ({row.label}).'
        )
    text = (f'{group}: ' if group and sentences else '') + ' '.join(sentences)
    return text[:1].upper() + text[1:]


def _beyond(better: Row, worse: Row) -> str:
    """Says whether the difference of two rows is beyond the spread of seeds.

    It is if it is more than twice its standard error, and every run of `better` is better than every run of `worse`.
    """
    if better.std is None or worse.std is None:
        return 'with one run of a row, the spread of seeds is not known, and the difference may be chance'
    error = sqrt(better.std**2 / len(better.finished) + worse.std**2 / len(worse.finished))
    runs = f'{len(better.finished)} and {len(worse.finished)} runs'
    apart = max(better.values('final_test_error')) < min(worse.values('final_test_error'))
    if apart and _error(worse) - _error(better) > 2 * error:
        return f'beyond the spread of seeds (the standard error of the difference is {error:.2f} points, {runs})'
    return f'within the spread of seeds (the standard error of the difference is {error:.2f} points, {runs})'


def _error(row: Row) -> float:
    mean = row.mean('final_test_error')
    assert mean is not None
    return mean


def _further(row: Row) -> str:
    """Returns the further errors of a row, such as '; the top-5 error is 7.13 %'."""
    return ''.join(f'; the {head} is {error:.2f} %' for head, error in further_errors(row).items())


def _percent(row: Row) -> str:
    spread = '' if row.std is None else f' ± {row.std:.2f}'
    return f'{_error(row):.2f}{spread} %'
