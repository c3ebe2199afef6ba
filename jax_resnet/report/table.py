"""The table of a section, as text: one place for its columns and the form of its numbers."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from statistics import median

from jax_resnet.report.sections import Row, Section
from jax_resnet.runs.run import FINISHED, STATES

NONE = '–'  # noqa: RUF001


def columns(section: Section) -> dict[str, Callable[[Row], str]]:
    """The columns of a section's table by their heading: from a row to a text. Errors are in %."""
    window = next((row.window for row in section.rows if row.window), None)
    has_published = any(row.published is not None or row.published_text for row in section.rows)
    result: dict[str, Callable[[Row], str]] = {
        'network': network,
        'parameters': lambda row: _whole(row.mean('parameters')),
        'multiply-adds': lambda row: _millions(row.mean('multiply_adds')),
        'runs': lambda row: f'{len(row.finished)} of {len(row.runs)}',
        'test error': lambda row: with_spread(row.mean('final_test_error'), row.std),
        'median': lambda row: _two(row.median),
    }
    if window:
        result[f'epochs {window[0]:g} to {window[1]:g}: mean (least to greatest)'] = _window
    result['best epoch'] = lambda row: _two(row.mean('best_test_error'))
    if has_published:
        result['published'] = lambda row: row.published_text or _two(row.published)
        result['difference'] = lambda row: NONE if (d := section.difference(row)) is None else f'{d:+.2f}'
    result['training error'] = lambda row: _two(row.mean('final_train_error'))
    result['time'] = lambda row: NONE if not row.finished else duration(median(row.values('seconds')))
    result['device'] = lambda row: ', '.join(dict.fromkeys(run.summary['device'] for run in row.finished)) or NONE
    return result


def rows(section: Section) -> tuple[list[str], list[list[str]]]:
    """(headings, cells of each row), the row's label and group first."""
    parts = columns(section)
    grouped = len(section.groups) > 1
    heads = ['', *(['group'] if grouped else []), *parts]
    cells = [
        [row.label, *([row.group] if grouped else []), *(part(row) for part in parts.values())] for row in section.rows
    ]
    return heads, cells


def explain(section: Section) -> list[str]:
    """What the table's numbers are, and which of its runs are not what they should be."""
    notes = [
        'Errors in %. Test error: at the end of training, mean ± standard deviation over runs. Best epoch: the least '
        'test error of a run, chosen on the test data, so no result. Training error: over the augmented batches of the '
        'last epoch. Time: median of the runs.'
    ]
    if section.is_rehearsal:
        notes.append(
            'A rehearsal: a twentieth of the epochs, on the digits. Its numbers say nothing of CIFAR, and are '
            'not compared with the published.'
        )
    if section.changes:
        changed = ', '.join(f'{name} = {value}' for name, value in section.changes.items())
        notes.append(f'Changed in every run: {changed}. Published numbers are of the unchanged recipe.')
    if any(row.published is not None or row.published_text for row in section.rows):
        notes.append(f'Published: {section.source}. Difference: ours less the published, in points.')
    return [*notes, *section.notes]


def states(section: Section) -> list[str]:
    """A line for each run that is not finished, after one that counts them."""
    counted = [f'{count} {name}' for name in STATES if (count := section.count(name))]
    lines = [
        f'{row.label}, seed {run.seed}: {run.state}{f" ({run.detail})" if run.detail else ""}'
        for row in section.rows
        for run in row.runs
        if run.state != FINISHED
    ]
    total = sum(len(row.runs) for row in section.rows)
    return [f'{total} run{"s" if total > 1 else ""}: {", ".join(counted)}', *lines]


def network(row: Row) -> str:
    """A row's network, by its config: 'ResNet-20', 'plain-56', 'pre-activation ResNet-110, shortcut conv'."""
    model = {name.removeprefix('model.'): v for name, v in row.config.items() if name.startswith('model.')}
    if 'depth' not in model:
        return str(model.get('name', NONE)).replace('_', ' ')
    kind = 'plain' if model['name'].endswith('plain') else 'ResNet'
    before = 'pre-activation ' if model.get('order') == 'full_preactivation' else ''
    return f'{before}{kind}-{model["depth"]}'


def with_spread(mean: float | None, std: float | None) -> str:
    return _two(mean) + ('' if std is None else f' ± {std:.2f}')


def duration(seconds: float) -> str:
    """'48 s', '12 min 5 s' or '3:05 h'."""
    if seconds < 90:
        return f'{seconds:.0f} s'
    if seconds < 3600:
        return f'{seconds // 60:.0f} min {seconds % 60:.0f} s'
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


def aligned(heads: Sequence[str], cells: Sequence[Sequence[str]]) -> str:
    """A table for a terminal."""
    widths = [max(map(len, column)) for column in zip(heads, *cells, strict=True)]
    lines = [
        '  '.join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in (heads, *cells)
    ]
    return '\n'.join(line.rstrip() for line in lines)
