"""The charts of a group of rows: the picture that answers, and curves as in the papers. Errors are in %."""

import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import partial
from statistics import fmean
from typing import Any

from jax_resnet.config.durations import Clock
from jax_resnet.report import wording
from jax_resnet.report.charts import GREY, altair, colours, titled
from jax_resnet.report.sections import Row, Section, varied

DASHES = {'test': [], 'training': [6, 4]}

QUANTITIES = {
    'error': ('error (%)', {'test': 'test_error', 'training': 'train_error'}),
    'top5_error': ('top-5 error (%)', {'test': 'test_top5_error'}),
    'loss': ('loss', {'test': 'test_loss', 'training': 'train_loss'}),
    'learning_rate': ('learning rate', {'training': 'learning_rate'}),
}
"""What has a curve: the title of its axis, and its field in a run's metrics, by split."""

ORDERED = ('model.depth', 'dataset.train', 'batch_size', 'schedule.learning_rate', 'train_for')
"""Of several fields that vary together, the first one of these is the axis."""


def overview(section: Section, rows: Sequence[Row]) -> Any:
    """Draws the error of each row with its spread over seeds, and the published error. None without several errors.

    If one number is varied, such as the depth, the errors are drawn against it; else there is a line for each row.
    """
    axis, positions = against(rows) or ('', {})
    values: list[dict[str, Any]] = []
    for row in rows:
        x, series = positions.get(row, (0, ''))
        value = {'row': row.label, 'position': x, 'series': series}
        if (measured := section.measured(row)) is not None:
            low, high = min(measured.errors), max(measured.errors)
            value |= {'error': measured.error, 'low': low, 'high': high, 'measured': str(measured)}
        if row.published is not None:
            value['published'] = row.published
        values.append(value)
    if sum('error' in value for value in values) < 2:
        return None
    alt = altair()
    is_spread = any(value.get('low') != value.get('high') for value in values)
    note = '● our runs' + (', with a line from the best to the worst' if is_spread else '')
    name = section.measure_name[:1].upper() + section.measure_name[1:]
    errors = {'title': f'{name} (%)', 'scale': alt.Scale(zero=False, padding=16 if positions else 48)}
    if positions:
        numbers = sorted({number for number, _ in positions.values()})
        scale_type = 'log' if numbers[0] > 0 and numbers[-1] >= 8 * numbers[0] else 'linear'
        row_axis = alt.X('position:Q', title=axis, scale=alt.Scale(type=scale_type, zero=False, padding=24, nice=False),
                         axis=alt.Axis(values=numbers, labelExpr='datum.value', grid=False))  # fmt: skip
        colour: Any = colours('series', [*dict.fromkeys(series for _, series in positions.values())])
        channel, axis_of_errors, height = 'y', partial(alt.Y, **errors), 300
    else:
        row_axis = alt.Y(
            'row:N', sort=None, title=None, axis=alt.Axis(labelLimit=260, domain=False, ticks=False, grid=True)
        )
        colour = colours('row', [row.label for row in rows]).legend(None)  # as in the curves
        channel, axis_of_errors = 'x', partial(alt.X, axis=alt.Axis(grid=False, tickCount=6), **errors)
        height = 30 * len(rows) + 20
    tooltip = ['row:N', 'measured:N', 'published:Q']
    base = alt.Chart(alt.Data(values=values)).encode(row_axis, color=colour, tooltip=tooltip)

    def at(field: str) -> dict[str, Any]:
        return {channel: axis_of_errors(f'{field}:Q')}

    layers = [
        base.mark_rule(strokeWidth=2).encode(**at('low'), **{f'{channel}2': 'high:Q'}),
        base.mark_point(filled=True, size=90, opacity=1).encode(**at('error')),
    ]
    if any('published' in value for value in values):
        note += '; ◇ published'
        layers.append(base.mark_point(shape='diamond', size=90, strokeWidth=1.8).encode(**at('published')))
    if positions:
        layers.append(base.mark_line(strokeWidth=1.8).encode(**at('error')))
    else:
        layers.append(base.mark_text(dy=-11, fontSize=11).encode(**at('error'), text='measured:N'))
    return titled(alt.layer(*layers), name, height, note)


def against(rows: Sequence[Row]) -> tuple[str, dict[Row, tuple[float, str]]] | None:
    """Finds the field with a number that is varied in rows, if there is one.

    Returns:
        Its name for an axis; and for each row the number, and the name of the series that the row is in: rows of a
        series differ only in this field, and in fields that follow from it.
    """
    values = varied(rows)
    for field in sorted(values, key=lambda name: ORDERED.index(name) if name in ORDERED else len(ORDERED)):
        numbers = [number for value in values[field] if (number := _number(value)) is not None]
        if len(numbers) < len(rows) or len({*numbers}) < 3:
            continue
        others = [strings for column in values.values() if not _follows(strings := [*map(repr, column)], numbers)]
        series = [*zip(*others, strict=True)] or [()] * len(rows)
        if len({*zip(series, numbers, strict=True)}) < len(rows) or 2 * len({*series}) > len(rows):
            continue
        units = {'train_for': 'training in epochs', 'dataset.train': 'part of the training data in %'}
        names = {
            one: re.sub(rf'(?<!\d){number:g}(?!\d)', '', row.label).strip(' -,=:')
            for one, row, number in zip(series, rows, numbers, strict=True)
        }
        positions = {row: (number, names[one]) for row, one, number in zip(rows, series, numbers, strict=True)}
        return units.get(field, wording.field_name(field)), positions
    return None


def _follows(column: Sequence[str], numbers: Sequence[float]) -> bool:
    """Whether a column has one value for each number."""
    return len({*zip(column, numbers, strict=True)}) == len({*numbers})


def _number(value: Any) -> float | None:
    """Returns the number in a config's value, such as 0.1, '82 epochs', or 50 for 'train[:50%]'; None without one."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if value == 'train':
        return 100.0
    found = re.fullmatch(r'train\[:([\d.]+)%\]|([\d./]+) epochs?', str(value))
    return float(Fraction(found[1] or found[2])) if found else None


def group_charts(rows: Sequence[Row]) -> dict[str, Any]:
    """Draws the curves of rows by name: errors, losses, top-5 errors if any, and learning rates if they differ."""
    lines = [line for row in rows for run in row.runs for line in run.metrics]
    if not lines:
        return {}
    charts = {'errors': curves(rows, 'Error')}
    if any('test_top5_error' in line for line in lines):
        charts['top5_errors'] = curves(rows, 'Top-5 error', 'top5_error')
    charts['losses'] = curves(rows, 'Loss', 'loss')
    rates = [[(p['epoch'], p['value']) for p in points(row, 'learning_rate')] for row in rows]
    if len({*map(repr, filter(None, rates))}) > 1:
        charts['learning_rates'] = curves(rows, 'Learning rate', 'learning_rate')
    return charts


def curves(rows: Sequence[Row], title: str, quantity: str = 'error') -> Any:
    """Draws a quantity in training (dashed) and test (solid): means over runs, and the range over seeds."""
    alt = altair()
    axis, fields = QUANTITIES[quantity]
    values = [point for row in rows for point in points(row, quantity)]
    legend = alt.Legend(title=None, orient='top', symbolStrokeColor=GREY, symbolSize=500, offset=4)
    scale = alt.Scale(domain=[*fields], range=[DASHES[split] if len(fields) > 1 else [] for split in fields])
    dash = alt.StrokeDash('split:N', scale=scale, legend=legend if len(fields) > 1 else None)
    labels = [{'row': row.label} for row in rows]
    shown = alt.selection_point(name='shown', fields=['row'], bind='legend', toggle='true', empty=False, value=labels)
    # A drag moves the chart. Only with Ctrl, or by a pinch, the wheel zooms it: else the page scrolls.
    zoom = alt.selection_interval(name='zoom', bind='scales', zoom='wheel![event.ctrlKey || event.metaKey]')
    is_percent = axis.endswith('(%)')
    scale = alt.Scale(domain=domain(values), nice=False) if is_percent else alt.Scale(type='log', nice=False, padding=8)
    y = {'title': axis, 'scale': scale, 'axis': alt.Axis(tickCount=6)}
    base = (
        alt.Chart(alt.Data(values=values))
        .transform_filter(shown)
        .encode(
            x=alt.X('epoch:Q', title='epoch', axis=alt.Axis(tickCount=8), scale=alt.Scale(zero=True, nice=False)),
            y=alt.Y('value:Q', **y),
            color=colours('row', [row.label for row in rows]),
            tooltip=['row:N', 'split:N', *(f'{field}:Q' for field in ('epoch', 'value', 'low', 'high', 'runs'))],
        )
    )
    width = alt.condition("datum.split === 'training'", alt.value(1.2), alt.value(2.2))
    interpolate = 'step-before' if quantity == 'learning_rate' else 'linear'
    layers = [
        base.mark_line(clip=True, interpolate=interpolate).encode(strokeDash=dash, strokeWidth=width),
        base.mark_point(filled=True, clip=True, size=90, opacity=0),  # for its tooltip
    ]
    if any(value['runs'] > 1 for value in values) and quantity != 'learning_rate':
        area = base.mark_area(clip=True, opacity=0.14)
        layers.insert(0, area.encode(y=alt.Y('low:Q', **y), y2='high:Q', detail='split:N'))
    if drops := sorted({epoch for row in rows for epoch in drop_epochs(row)}):
        marks = alt.Chart(
            alt.Data(values=[{'epoch': epoch, 'the learning rate drops at epoch': epoch} for epoch in drops])
        )
        rule = marks.mark_rule(strokeDash=[2, 3], color=GREY, opacity=0.7, clip=True)
        layers.append(rule.encode(x='epoch:Q', tooltip='the learning rate drops at epoch:Q'))
    layers[0] = layers[0].add_params(shown, zoom)
    return titled(alt.layer(*layers), title, 320 if quantity == 'error' else 240)


def domain(values: Sequence[Mapping[str, Any]]) -> tuple[float, float]:
    """Returns the ends of the axis: they show the differences in the second half of training.

    The first epochs are cut off where they are far above it, as in the papers' figures.
    """
    last = max((value['epoch'] for value in values), default=0)
    late = [value['value'] for value in values if value['epoch'] >= last / 2] or [0]
    room = 0.1 * (max(late) - min(late)) or 1
    return round(max(0.0, min(late) - room), 4), round(max(late) + room, 4)


def points(row: Row, quantity: str) -> list[dict[str, Any]]:
    """Returns the mean and the extremes over the runs, for each split and each step at which all were evaluated."""
    runs = [run for run in row.runs if run.metrics]
    found = []
    for split, field in QUANTITIES[quantity][1].items():
        by_step: dict[int, list[Mapping[str, Any]]] = {}
        for line in (line for run in runs for line in run.metrics):
            by_step.setdefault(line['step'], []).append(line)
        for _, lines in sorted(by_step.items()):
            values = [line[field] for line in lines if line.get(field) is not None]
            if len(values) == len(runs):
                mean, low, high = (float(f'{value:.5g}') for value in (fmean(values), min(values), max(values)))
                epoch = round(lines[0]['epoch'], 4)
                found.append({
                    'row': row.label, 'split': split, 'epoch': epoch, 'value': mean, 'low': low, 'high': high,
                    'runs': len(runs),
                })  # fmt: skip
    return found


def drop_epochs(row: Row) -> list[float]:
    """Returns the epochs at which the learning rate of a row drops, by its config; [] before an evaluation."""
    run = next((run for run in row.runs if run.metrics and run.config is not None), None)
    if run is None or run.config is None or run.config.schedule.name != 'piecewise':
        return []
    last, size = run.metrics[-1], run.config.batch_size
    clock = Clock(round(last['step'] * size / last['epoch']), size, run.config.shorten)
    steps = map(clock.steps, run.config.schedule.drop_at)
    return [round(clock.epochs(step), 4) for step in steps if step < last['step']]
