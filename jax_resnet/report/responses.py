"""The chart of layer responses, as in Figure 7 of He et al. 2015, and of gradients."""

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

from jax_resnet.report.charts import WIDTH, altair, colours, styled

STD, GRADIENT = 'standard deviation of the response', "norm of the loss's gradient"


def chart(measured: Sequence[Mapping[str, Any]]) -> Any:
    """Draws the two panels of the figure, and a panel of the gradients below them.

    Args:
        measured: one mapping for each network: its name, `network`; and lists with one element for each layer: `layers`
            (their names), `std` and `gradient_norm`.
    """
    alt = altair()
    names = short([one['network'] for one in measured])
    rows = []
    for called, one in zip(names, measured, strict=True):
        largest = sorted(one['std'], reverse=True)
        columns = zip(one['layers'], one['std'], one['gradient_norm'], strict=True)
        for layer, (name, std, norm) in enumerate(columns, start=1):
            rank, gradient = largest.index(std) + 1, norm or None
            row = {'network': called, 'layer': layer, 'rank': rank, 'name': name, 'std': std, 'gradient': gradient}
            rows.append(row)
    colour = colours('network', names)

    def panel(x: str, x_title: str, y: str, y_title: str, **axis: Any) -> Any:
        return (
            alt.Chart(alt.Data(values=rows), width=WIDTH, height=200)
            .mark_line(point={'size': 12}, strokeWidth=1.5)
            .encode(
                x=alt.X(f'{x}:Q', title=x_title, axis=alt.Axis(tickMinStep=1)),
                y=alt.Y(f'{y}:Q', title=y_title, **axis),
                color=colour,
                tooltip=['network:N', 'name:N', alt.Tooltip(f'{y}:Q', format='.4g')],
            )
        )

    log_axis = {'scale': alt.Scale(type='log'), 'axis': alt.Axis(labelExpr='datum.value', tickCount=6)}
    panels = [
        panel('layer', 'layer, in order', 'std', STD),
        panel('rank', 'layer, sorted by size', 'std', STD),
        panel('layer', 'layer, in order', 'gradient', GRADIENT, **log_axis),
    ]
    return styled(alt.vconcat(*panels), '', 0)


def short(names: Sequence[str]) -> list[str]:
    """Shortens the paths of runs or configs: leaves out the folders at the beginning and end that all of them have.

    'runs/resnet20_cifar10/seed0' and 'runs/plain20_cifar10/seed0' become 'resnet20_cifar10' and 'plain20_cifar10'.
    """
    files = [re.sub(r'\.(safetensors|py)$', '', name) for name in names]
    paths = [list(PurePath(name).parts[-3:]) or [name] for name in files]
    for end in (0, -1):
        while min(map(len, paths)) > 1 and len({path[end] for path in paths}) == 1:
            for path in paths:
                path.pop(end)
    texts = [', '.join(path) for path in paths]
    return [text if texts.count(text) == 1 else f'{text} ({i})' for i, text in enumerate(texts, start=1)]
