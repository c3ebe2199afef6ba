"""The tables of a section: their columns, the format of their numbers, and the notes below them."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from jax_resnet.config.identity import effective_shortcut
from jax_resnet.report import wording
from jax_resnet.report.sections import Row, Section
from jax_resnet.report.table import Cell, Links, Table
from jax_resnet.report.templating import address
from jax_resnet.runs.run import FINISHED, STATES, Run

NONE = '–'  # noqa: RUF001

OURS = {
    'final': 'our error', 'median': 'our median', 'window': 'our mean over these epochs',
    'protocol': 'our error by the protocol',
}  # fmt: skip
"""What is compared with a published number, by the measure of the study."""


def columns(section: Section) -> dict[str, Callable[[Row], str]]:
    """Returns the columns of a section's table: for each heading, a function from a row to a text. Errors are in %."""
    window = next((row.window for row in section.rows if row.window), None)
    has_published = any(row.published is not None or row.published_text for row in section.rows)
    result: dict[str, Callable[[Row], str]] = {
        'network': network,
        'parameters': lambda row: _whole(row.mean('parameters')),
        'multiply-adds': lambda row: _millions(row.mean('multiply_adds')),
        'runs': lambda row: f'{len(row.finished)} of {len(row.runs)}',
        'test error': lambda row: with_spread(row.mean('final_test_error'), row.std),
        'median': lambda row: _two(row.median),
        **further_columns(section),
    }
    if window:
        result[f'epochs {window[0]:g} to {window[1]:g}: mean (smallest to largest)'] = _window
    result['best test error'] = lambda row: _two(row.mean('best_test_error'))
    if has_published:
        result['published'] = lambda row: row.published_text or _two(row.published)
        result['difference'] = lambda row: NONE if (d := section.difference(row)) is None else f'{d:+.2f}'
    if any(row.config.get('shorten', 1) > 1 for row in section.rows):
        result['recipe'] = lambda row: (
            wording.phrase('shorten', times) if (times := row.config.get('shorten', 1)) > 1 else 'whole'
        )
    result['training error'] = lambda row: _two(row.mean('final_train_error'))
    result['time'] = lambda row: NONE if not row.finished else duration(median(row.values('seconds')))
    result['device'] = lambda row: ', '.join(dict.fromkeys(run.summary['device'] for run in row.finished)) or NONE
    return result


def further_errors(row: Row) -> dict[str, float]:
    """Returns mean errors that only some rows have, by heading: the top-5 error, and those of `pictures.protocol`."""
    protocol = wording.value_name(row.protocol, 'pictures.protocol')
    heads = {
        'final_test_top5_error': 'top-5 error',
        'protocol_test_error': f'{protocol} test error',
        'protocol_test_top5_error': f'{protocol} top-5 error',
    }
    return {head: mean for field, head in heads.items() if (mean := row.mean(field)) is not None}


def further_columns(section: Section) -> dict[str, Callable[[Row], str]]:
    """Returns a column for each of the `further_errors` that some row has."""
    heads = dict.fromkeys(head for row in section.rows for head in further_errors(row))
    return {head: partial(_further, head) for head in heads}


def _further(head: str, row: Row) -> str:
    return _two(further_errors(row).get(head))


def table(section: Section, folder: Path | None = None) -> Table:
    """Makes a section's table. The label and group of a row come first.

    Args:
        section: the section.
        folder: the folder of the page. With it, the table has links to the runs.
    """
    parts = columns(section)
    grouped = len(section.groups) > 1

    def cell(head: str, row: Row) -> Cell:
        text = parts[head](row)
        if head != 'runs' or folder is None:
            return text
        return Links(text, tuple((str(run.seed), link(run, folder)) for run in row.runs))

    return Table(
        ['', *(['group'] if grouped else []), *parts],
        [[row.label, *([row.group] if grouped else []), *(cell(head, row) for head in parts)] for row in section.rows],
    )


def link(run: Run, folder: Path) -> str:
    """Returns the relative address of a run, for a page in `folder`."""
    is_file = run.folder.suffix == '.json'
    return address(run.folder, folder) + ('' if is_file else '/')


def varied(section: Section) -> Table:
    """Makes the table of the config fields that differ between the rows."""
    values = section.varied
    rows = [
        [row.label, *(wording.value_name(column[i], field) for field, column in values.items())]
        for i, row in enumerate(section.rows)
    ]
    return Table(['', *map(wording.field_name, values)], rows)


def explain(section: Section) -> list[str]:
    """Returns notes on the table: what its numbers mean, what was changed in the runs, and what was left out."""
    notes = [
        'Errors are in %. Test error: at the end of training, mean ± standard deviation over runs. Best test '
        'error: the smallest of a run; it is chosen on the test data, so it is not a result. Training error: over the '
        'augmented batches since the evaluation before the last one. Time: median of the runs.'
    ]
    further = further_columns(section)
    if further:
        notes.append(f'Means over runs at the end of training: {", ".join(further)}.')
    if section.is_rehearsal:
        notes.append(
            'This is a rehearsal on the digits, with a shortened recipe. Its numbers say nothing about CIFAR, and are '
            'not compared with the published ones.'
        )
    if section.changes:
        changed = ', '.join(wording.phrase(*change) for change in section.changes.items())
        notes.append(
            f'Changed in every run: {changed}. Published numbers belong to the unchanged recipe, and are not shown.'
        )
    if any(row.published is not None or row.published_text for row in section.rows):
        ours = ' or '.join(dict.fromkeys(OURS[row.measure] for row in section.rows))
        notes.append(f'Published: {section.source}. Difference: {ours} minus the published one, in points.')
    return [*notes, *section.notes]


def states(section: Section) -> list[str]:
    """Returns a line that counts all runs by state, and a line for each run that is not finished."""
    runs = [(row, run) for row in section.rows for run in row.runs]
    lines = [
        f'{row.label}, seed {run.seed}: {run.state}{f" ({run.detail})" if run.detail else ""}'
        for row, run in runs
        if run.state != FINISHED
    ]
    counted = ', '.join(f'{count} {name}' for name in STATES if (count := section.count(name)))
    total = '1 run' if len(runs) == 1 else f'{len(runs)} runs'
    return [f'{total}: {counted}' if counted else total, *lines]


def numbers(sections: Sequence[Section]) -> Table:
    """Makes one table of all rows of all sections, for other programs: unrounded numbers, and the run folders."""
    lines = [_numbers(section, row) for section in sections for row in section.rows]
    return Table(list(lines[0]) if lines else [], [list(line.values()) for line in lines])


def _numbers(section: Section, row: Row) -> dict[str, Any]:
    least, greatest, mean = row.in_window or (None, None, None)
    first_epoch, last_epoch = row.window or (None, None)
    return {
        'study': section.name,
        'rehearsal': str(section.is_rehearsal),
        'group': row.group,
        'row': row.label,
        'network': network(row),
        'shorten': row.config.get('shorten', 1),
        'parameters': row.mean('parameters'),
        'multiply_adds': row.mean('multiply_adds'),
        'runs': len(row.runs),
        'finished': len(row.finished),
        'test_error_mean': row.mean('final_test_error'),
        'test_error_std': row.std,
        'test_error_median': row.median,
        'test_top5_error_mean': row.mean('final_test_top5_error'),
        'protocol': row.protocol,
        'protocol_test_error_mean': row.mean('protocol_test_error'),
        'protocol_test_top5_error_mean': row.mean('protocol_test_top5_error'),
        'window_first_epoch': first_epoch,
        'window_last_epoch': last_epoch,
        'window_mean': mean,
        'window_least': least,
        'window_greatest': greatest,
        'best_test_error_mean': row.mean('best_test_error'),
        'published': row.published,
        'published_text': row.published_text,
        'difference': section.difference(row),
        'train_error_mean': row.mean('final_train_error'),
        'seconds_mean': row.mean('seconds'),
        'devices': '; '.join(dict.fromkeys(run.summary['device'] for run in row.finished)),
        'run_folders': '; '.join(str(run.folder) for run in row.runs),
        'states': '; '.join(run.state for run in row.runs),
    }


def network(row: Row) -> str:
    """Names a row's network by config: 'ResNet-20', 'plain-56', 'pre-activation ResNet-110', 'ResNet-110, dropout'."""
    model = {name.removeprefix('model.'): v for name, v in row.config.items() if name.startswith('model.')}
    if 'depth' not in model:
        return str(model.get('name', NONE)).replace('_', ' ')
    kind = 'plain' if str(model['name']).endswith('plain') else 'ResNet'
    order = str(model.get('order', 'original'))
    before = 'pre-activation ' if order == 'full_preactivation' else ''
    parts = [f'{before}{kind}-{model["depth"]}']
    parts += [_spaced(order)] if order not in ('original', 'full_preactivation') else []
    parts += [_shortcut(model)] if kind == 'ResNet' else []
    return ', '.join(filter(None, parts))


def _shortcut(model: Mapping[str, Any]) -> str:
    """Names the shortcuts of a network, or '' if they are those of the 2015 paper."""
    usual = effective_shortcut({**model, 'shortcut': ''})
    named = str(model.get('shortcut') or usual)
    return '' if named == usual else f'shortcut {_spaced(named)}'


def _spaced(name: str) -> str:
    """Turns 'exclusive_gating_-6' into 'exclusive gating -6'. Between two numbers it puts a comma."""
    return re.sub(r'(?<=\d)_(?=[\d-])', ', ', name).replace('_', ' ')


def with_spread(mean: float | None, std: float | None) -> str:
    return _two(mean) + ('' if std is None else f' ± {std:.2f}')


def duration(seconds: float) -> str:
    """Formats a duration: '48 s', '12 min 5 s' or '3:05 h'."""
    whole = round(seconds)
    if whole < 90:
        return f'{whole} s'
    if whole < 3600:
        return f'{whole // 60} min {whole % 60} s'
    return str(timedelta(minutes=round(seconds / 60))).removesuffix(':00') + ' h'


def _window(row: Row) -> str:
    if row.in_window is None:
        return NONE
    least, greatest, mean = row.in_window
    return f'{mean:.2f} ({least:.2f} to {greatest:.2f})'


def _two(value: float | None) -> str:
    return NONE if value is None else f'{value:.2f}'


def _whole(value: float | None) -> str:
    return NONE if value is None else f'{value:,.0f}'


def _millions(value: float | None) -> str:
    return NONE if value is None else f'{value / 1e6:,.1f} M'
