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
                f'{best.label} has the smallest final test error, {_percent(best)}, {gap:.2f} points below the '
                f'{_error(second):.2f} % of {second.label}; {_beyond(best, second)}.'
            )
        if worst is not second:
            sentences.append(
                f'{worst.label} has the largest, {_percent(worst)}, {_error(worst) - _error(best):.2f} points above '
                f'{best.label}; {_beyond(best, worst)}.'
            )
    if ranked and left_out:
        sentences.append(f'Not compared, since they have no finished run: {", ".join(left_out)}.')
    differences = [(d, row) for row in ranked if (d := section.difference(row)) is not None]
    if differences:
        largest, row = max(differences, key=lambda pair: abs(pair[0]))
        sentences.append(
            f'Compared with {len(differences)} published {"number" if len(differences) == 1 else "numbers"}, the '
            f'largest difference is {largest:+.2f} points ({row.label}).'
        )
    text = (f'{group}: ' if group and sentences else '') + ' '.join(sentences)
    return text[:1].upper() + text[1:]


def _beyond(better: Row, worse: Row) -> str:
    """Says whether the difference of two rows is larger than the spread over seeds.

    It is if it is more than twice its standard error, and every run of `better` is better than every run of `worse`.
    """
    if better.std is None or worse.std is None:
        return 'as a row has only one run, the spread over seeds is not known, and the difference may be chance'
    error = sqrt(better.std**2 / len(better.finished) + worse.std**2 / len(worse.finished))
    runs = f'{len(better.finished)} and {len(worse.finished)} runs'
    do_not_overlap = max(better.values('final_test_error')) < min(worse.values('final_test_error'))
    if do_not_overlap and _error(worse) - _error(better) > 2 * error:
        return f'the difference is larger than the spread over seeds (standard error {error:.2f} points, {runs})'
    return f'the difference is within the spread over seeds (standard error {error:.2f} points, {runs})'


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
