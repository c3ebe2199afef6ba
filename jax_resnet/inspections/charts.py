"""What the charts of inspections share: a panel with a line for each network, and short names of the networks."""

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

from jax_resnet.report.charts import WIDTH, altair, colours

LOGARITHMIC: dict[str, Any] = {'scale': {'type': 'log'}, 'axis': {'labelExpr': 'datum.value', 'tickCount': 6}}
"""Settings of a logarithmic axis."""


def panel(
    rows: Sequence[Mapping[str, Any]],
    x: tuple[str, str],
    y: tuple[str, str],
    mark: str = 'line',
    also: Sequence[str] = (),
    **axis: Any,
) -> Any:
    """Draws the rows of several networks, each network in its colour.

    Args:
        rows: the values of each point by name, among them `network`. A point whose y is None is not drawn.
        x, y: the name of the value on each axis, and the axis's title.
        mark: 'line', with a dot at each point; or 'point', dots alone.
        also: other values that a tooltip shows.
        **axis: settings of the y axis.
    """
    alt = altair()
    names = [*dict.fromkeys(row['network'] for row in rows)]
    step = 1 if all(isinstance(row[x[0]], int) for row in rows) else 0
    base = alt.Chart(alt.Data(values=[row for row in rows if row[y[0]] is not None]), width=WIDTH, height=200)
    drawn = base.mark_line(point={'size': 12}, strokeWidth=1.5) if mark == 'line' else base.mark_point(size=20)
    return drawn.encode(
        x=alt.X(f'{x[0]}:Q', title=x[1], scale=alt.Scale(zero=False), axis=alt.Axis(tickMinStep=step)),
        y=alt.Y(f'{y[0]}:Q', title=y[1], **axis),
        color=colours('network', names),
        tooltip=['network:N', *also, alt.Tooltip(f'{y[0]}:Q', format='.4g')],
    )


def short(names: Sequence[str]) -> list[str]:
    """Shortens the paths of runs or configs: leaves out the folders at the beginning and end that all of them have.

    'runs/resnet20_cifar10/seed0' and 'runs/plain20_cifar10/seed0' become 'resnet20_cifar10' and 'plain20_cifar10'.
    """
    files = [re.sub(r'\.(safetensors|py|npz)$', '', name) for name in names]
    paths = [list(PurePath(name).parts) or [name] for name in files]
    for end in (0, -1):
        while min(map(len, paths)) > 1 and len({path[end] for path in paths}) == 1:
            for path in paths:
                path.pop(end)
    short = [', '.join(path[-3:]) for path in paths]
    return [name if short.count(name) == 1 else f'{name} ({i})' for i, name in enumerate(short, start=1)]


def named(measured: Sequence[Mapping[str, Any]]) -> list[tuple[str, Mapping[str, Any]]]:
    """Returns the short name of each network, with its numbers."""
    return [*zip(short([one['network'] for one in measured]), measured, strict=True)]
