"""The curves of a group of runs, drawn as in the papers: training dashed, test solid, error in %."""

import itertools
from collections.abc import Mapping, Sequence
from math import ceil
from statistics import fmean
from typing import Any

from jax_resnet.config import schedule
from jax_resnet.config.durations import Clock
from jax_resnet.config.schedule import Schedule
from jax_resnet.report.charts import GREY, PALETTE, altair, colours, styled, switch, zoom
from jax_resnet.report.sections import Row

SPLITS = {'test': [], 'training': [6, 4]}
"""The splits, each with the dash pattern of its lines."""

CURVE_POINTS = 100
"""Number of points with which a cosine or a linear warm-up is drawn."""

DECADES = [10.0**k for k in range(-9, 3)]
"""The ticks of a logarithmic axis."""

HINT = (
    'Click a name below a chart to hide or show its curves. Drag to move, Ctrl + wheel or pinch to zoom, double click '
    'to reset.'
)


def errors(rows: Sequence[Row], title: str) -> Any:
    """Draws training and test error: a thin line for each run, and the mean and the range over seeds."""
    return _curves(rows, title, 'error', 'error (%)', '.2f', 320)


def top5_errors(rows: Sequence[Row], title: str) -> Any:
    """Draws the top-5 test error, like `errors`."""
    return _curves(rows, title, 'top5_error', 'top-5 error (%)', '.2f', 240)


def losses(rows: Sequence[Row], title: str) -> Any:
    """Draws training and test loss, like `errors`."""
    return _curves(rows, title, 'loss', 'loss', '.3f', 240)


def learning_rates(rows: Sequence[Row], title: str) -> Any:
    """Draws the learning rate of every row. Rows with equal rates share one line, in dashes of alternating colours."""
    alt = altair()
    rates = {row.label: _rates(row) for row in rows}
    shown, click = switch('row', [row.label for row in rows])
    lines: list[Any] = []
    for label, values in rates.items():
        same = [other for other in rates if rates[other] == values]
        dashes = {'strokeDash': [7, 7 * (len(same) - 1)], 'strokeDashOffset': -7 * same.index(label)}
        points = [{'row': label, 'epoch': epoch, 'rate': rate} for epoch, rate in values]
        line = (
            alt.Chart(alt.Data(values=points))
            .mark_line(strokeWidth=1.8, clip=True, **dashes if len(same) > 1 else {})
            .encode(
                x=alt.X('epoch:Q', title='epoch', axis=alt.Axis(tickCount=8), scale=alt.Scale(zero=True, nice=False)),
                y=alt.Y(
                    'rate:Q',
                    title='learning rate',
                    scale=alt.Scale(type='log', padding=8, nice=False),
                    axis=alt.Axis(format='~g', values=DECADES),
                ),
                color=colours([row.label for row in rows]),
                opacity=click,
                tooltip=['row:N', alt.Tooltip('epoch:Q', format='.1f'), alt.Tooltip('rate:Q', format='~g')],
            )
        )
        lines.append(line if lines else line.add_params(shown, zoom()))
    return styled(alt.layer(*lines).properties(title=title), height=180)


def _schedule(row: Row) -> tuple[Schedule, Clock, int] | None:
    """Returns the schedule of a row, its clock, and the last step of its longest run; None before an evaluation."""
    lines = max((run.metrics for run in row.runs), key=len, default=())
    if not lines:
        return None
    config = next(run.config for run in row.runs if run.config is not None)
    last, batch_size = lines[-1], config.batch_size
    clock = Clock(round(last['step'] * batch_size / last['epoch']), batch_size, config.shorten)
    return schedule.create(config.schedule, clock, clock.steps(config.train_for)), clock, last['step']


def _rates(row: Row) -> list[tuple[float, float]]:
    """Returns (epoch, learning rate) at the ends of the pieces of the schedule, and between them if it is no stair."""
    found = _schedule(row)
    if found is None:
        return []
    planned, clock, last = found
    steps = {0, last - 1}
    for start, _ in planned.pieces[1:]:
        steps |= {start - 1, start}
    if planned.rises or planned.zero_at is not None:
        steps |= {last * i // CURVE_POINTS for i in range(CURVE_POINTS)}
    return [(round(clock.epochs(k), 4), float(planned.rate(k))) for k in sorted(steps) if k < last]


def against_parameters(rows: Sequence[Row], data: str = '') -> Any:
    """Draws the final test error against the number of parameters: a point for each row, with its spread over seeds.

    Args:
        rows: rows of one data set.
        data: name of the data set, for the title.
    """
    alt = altair()
    values = [
        {
            'row': row.label,
            'parameters': row.mean('parameters'),
            'error': _round(error),
            'low': _round(error - (row.std or 0)),
            'high': _round(error + (row.std or 0)),
        }
        for row in rows
        if (error := row.mean('final_test_error')) is not None
    ]
    labels = [str(value['row']) for value in values]
    base = alt.Chart(alt.Data(values=values)).encode(
        x=alt.X('parameters:Q', title='parameters', scale=alt.Scale(type='log', padding=20, nice=False),
                axis=alt.Axis(format='~s', tickCount=5)),
        color=colours(labels) if len(labels) <= len(PALETTE) else alt.value(PALETTE[0]),
        tooltip=['row:N', alt.Tooltip('parameters:Q', format=','), alt.Tooltip('error:Q', format='.2f')],
    )  # fmt: skip
    y = alt.Y('low:Q', title='final test error (%)', scale=alt.Scale(zero=False, padding=12))
    bars = base.mark_rule(strokeWidth=1.5, opacity=0.6).encode(y=y, y2='high:Q')
    points = base.mark_point(filled=True, size=70, opacity=0.9).encode(y='error:Q')
    title = 'Final test error against parameters' + (f', {data}' if data else '')
    return styled((bars + points).properties(title=title), height=300)


def drops(row: Row) -> list[dict[str, Any]]:
    """Returns the changes of a row's learning rate after a warm-up: the epoch, and the rates before and after."""
    found = _schedule(row)
    if found is None:
        return []
    planned, clock, last = found
    return [
        {'epoch': round(clock.epochs(start), 4), 'change': f'{before:.3g} to {rate:.3g}'}
        for (_, before), (start, rate) in itertools.pairwise(planned.pieces)
        if rate < before and start < last
    ]


def points(row: Row, quantity: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Returns two lists of points: one point for each evaluation of each run; and the mean and extremes over the runs.

    The second list has only steps at which all runs were evaluated.
    """
    single: list[dict[str, Any]] = []
    together: list[dict[str, Any]] = []
    runs = [run for run in row.runs if run.metrics]
    for split in SPLITS:
        field = f'{"train" if split == "training" else split}_{quantity}'
        by_step: dict[int, list[Mapping[str, Any]]] = {}
        for run in runs:
            for line in run.metrics:
                if line.get(field) is None:
                    continue
                by_step.setdefault(line['step'], []).append(line)
                about = {'row': row.label, 'split': split, 'run': f'seed {run.seed}'}
                single.append({**about, 'epoch': round(line['epoch'], 4), 'value': _round(line[field])})
        for lines in by_step.values():
            values = [line[field] for line in lines]
            if len(values) == len(runs):
                together.append({
                    'row': row.label, 'split': split, 'epoch': round(lines[0]['epoch'], 4),
                    'value': _round(fmean(values)), 'low': _round(min(values)), 'high': _round(max(values)),
                    'runs': len(values),
                })  # fmt: skip
    return single, sorted(together, key=lambda point: (point['split'], point['epoch']))


def _curves(rows: Sequence[Row], title: str, quantity: str, axis: str, form: str, height: int) -> Any:
    alt = altair()
    single: list[dict[str, Any]] = []
    together: list[dict[str, Any]] = []
    for row in rows:
        one, mean = points(row, quantity)
        single += one if len([run for run in row.runs if run.metrics]) > 1 else []
        together += mean
    top = top_of([point['value'] for point in together], None if quantity == 'loss' else 100)
    splits = [split for split in SPLITS if any(point['split'] == split for point in together)]
    shown, by_row = switch('row', [row.label for row in rows])
    x = alt.X('epoch:Q', title='epoch', axis=alt.Axis(tickCount=8), scale=alt.Scale(zero=True, nice=False))
    y = alt.Y('value:Q', title=axis, scale=alt.Scale(domain=[0, top]), axis=alt.Axis(tickCount=6))
    dash = alt.StrokeDash(
        'split:N',
        scale=alt.Scale(domain=splits, range=[SPLITS[split] for split in splits]),
        legend=alt.Legend(title=None, orient='top', symbolStrokeColor='#344054', symbolSize=500, offset=4),
    )
    mean = alt.Chart(alt.Data(values=together)).encode(x=x, color=colours([row.label for row in rows]), opacity=by_row)
    lines = mean.mark_line(clip=True, strokeWidth=1.9).encode(y=y, strokeDash=dash).add_params(shown, zoom())
    band = mean.mark_area(clip=True).encode(
        y=alt.Y('low:Q', title=axis), y2='high:Q', detail='split:N',
        opacity=alt.condition(shown, alt.value(0.14), alt.value(0), empty=False),
    )  # fmt: skip
    each = (
        alt.Chart(alt.Data(values=single))
        .mark_line(clip=True, strokeWidth=0.8)
        .encode(
            x=x, y=y, strokeDash=dash, detail='run:N', color=colours([row.label for row in rows]),
            opacity=alt.condition(shown, alt.value(0.35), alt.value(0), empty=False),
        )
    )  # fmt: skip
    spots = mean.mark_point(filled=True, clip=True, size=90).encode(
        y=y,
        opacity=alt.value(0),
        tooltip=[
            'row:N', 'split:N', alt.Tooltip('epoch:Q', format='.1f'), alt.Tooltip('value:Q', format=form, title=axis),
            alt.Tooltip('low:Q', format=form, title='smallest'), alt.Tooltip('high:Q', format=form, title='largest'),
            'runs:Q',
        ],
    )  # fmt: skip
    above = [{**point, 'edge': top} for point in together if point['value'] > top]
    marks_above = (
        alt.Chart(alt.Data(values=above))
        .mark_point(shape='triangle-up', filled=True, size=36, yOffset=4, clip=True)
        .encode(
            x=x, y=alt.Y('edge:Q', title=axis), color=colours([row.label for row in rows]), opacity=by_row,
            tooltip=['row:N', 'split:N', alt.Tooltip('value:Q', format=form, title=axis)],
        )
    )  # fmt: skip
    dropped = {(drop['epoch'], drop['change']): drop for row in rows for drop in drops(row)}
    marks = (
        alt.Chart(alt.Data(values=list(dropped.values())))
        .mark_rule(strokeDash=[2, 3], color=GREY, opacity=0.7, clip=True)
        .encode(
            x='epoch:Q', tooltip=[alt.Tooltip('change:N', title='learning rate'), alt.Tooltip('epoch:Q', format='.1f')]
        )
    )
    layers = [*([marks] if dropped else []), *([band, each] if single else []), lines, spots]
    layers += [marks_above] if above else []
    return styled(alt.layer(*layers).properties(title=title_of(title, bool(above))), height=height)


def title_of(title: str, has_above: bool) -> dict[str, str]:
    """Returns a title, with a subtitle that explains the marks at the upper edge if there are any."""
    return {'text': title, **({'subtitle': '▲ the curve continues above the frame'} if has_above else {})}


def top_of(values: Sequence[float], most: float | None) -> float:
    """Returns the end of the axis. It cuts off the first epochs, far above the rest, as the papers' figures do."""
    if not values:
        return 1.0
    usual = sorted(values)[min(len(values) - 1, int(0.85 * len(values)))]
    top = min(1.3 * usual or 1.0, max(values) or 1.0)
    size = 10.0 ** (len(str(int(top))) - 1) if top >= 1 else 0.1
    nice = ceil(top / size * 2) * size / 2
    return nice if most is None else min(most, nice)


def _round(value: float) -> float:
    return float(f'{value:.5g}')
