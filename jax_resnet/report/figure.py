"""A static picture of curves, like Figure 6 of He et al. 2015: training dashed, test solid and bold."""

from collections.abc import Sequence
from typing import Any

from jax_resnet.report.charts import altair, colours, styled
from jax_resnet.report.curves import SPLITS, points, title_of, top_of
from jax_resnet.report.sections import Row


def figure(rows: Sequence[Row], title: str) -> Any:
    """Draws the training and test error of rows, as means over runs. It is not interactive: a small SVG."""
    alt = altair()
    values = [point for row in rows for point in points(row, 'error')[1]]
    colour = colours([row.label for row in rows])
    top = top_of([point['value'] for point in values], 100)
    chart = (
        alt.Chart(alt.Data(values=values))
        .mark_line(clip=True)
        .encode(
            x=alt.X('epoch:Q', title='epoch', axis=alt.Axis(tickCount=8), scale=alt.Scale(zero=True, nice=False)),
            y=alt.Y('value:Q', title='error (%)', scale=alt.Scale(domain=[0, top]), axis=alt.Axis(tickCount=6)),
            color=colour,
            strokeDash=alt.StrokeDash(
                'split:N',
                scale=alt.Scale(domain=list(SPLITS), range=list(SPLITS.values())),
                legend=alt.Legend(title=None, orient='top', symbolStrokeColor='#344054', symbolSize=500, offset=4),
            ),
            strokeWidth=alt.condition("datum.split === 'test'", alt.value(2.2), alt.value(1.1)),
        )
    )
    above = [{**value, 'edge': top} for value in values if value['value'] > top]
    marks = (
        alt.Chart(alt.Data(values=above))
        .mark_point(shape='triangle-up', filled=True, size=36, yOffset=4)
        .encode(x='epoch:Q', y=alt.Y('edge:Q', title='error (%)'), color=colour)
    )
    return styled((chart + marks if above else chart).properties(title=title_of(title, bool(above))), height=280)
