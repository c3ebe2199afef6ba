"""The chart of layer responses, as in Figure 7 of He et al. 2015, and of gradients."""

from collections.abc import Mapping, Sequence
from math import ceil, floor, log10
from pathlib import PurePath
from typing import Any

from jax_resnet.report.charts import PALETTE, altair, label_in_lines, styled_column

ROOTS, ENDS = ('runs', 'results', 'weights', 'configs'), ('.safetensors', '.py')
"""In these folders the path names the network. These endings of a path are left out of the name."""

STD, GRADIENT = 'standard deviation of the response', "norm of the loss's gradient"


def chart(measured: Sequence[Mapping[str, Any]]) -> Any:
    """Draws the two panels of the figure, and a panel of the gradients below them.

    Args:
        measured: one mapping for each network: its name, `network`; and lists with one element for each layer: `layers`
            (their names), `std` and `gradient_norm`.
    """
    alt = altair()
    names = short([one['network'] for one in measured])
    rows = [
        {'network': called, 'layer': i, 'rank': rank, 'name': name, 'std': std, 'gradient': norm}
        for called, one in zip(names, measured, strict=True)
        for i, (name, std, norm, rank) in enumerate(
            zip(one['layers'], one['std'], one['gradient_norm'], ranks(one['std']), strict=True), start=1
        )
    ]
    colour = alt.Color(
        'network:N',
        title=None,
        scale=alt.Scale(domain=names, range=[PALETTE[i % len(PALETTE)] for i in range(len(names))]),
        legend=alt.Legend(orient='top', columns=1, labelExpr=label_in_lines(640)),
    )

    def panel(x: str, x_title: str, y: str, y_title: str, **axis: Any) -> Any:
        return (
            alt.Chart(alt.Data(values=rows))
            .mark_line(point={'size': 12}, strokeWidth=1.5)
            .encode(
                x=alt.X(f'{x}:Q', title=x_title, axis=alt.Axis(tickMinStep=1)),
                y=alt.Y(f'{y}:Q', title=y_title, **axis),
                color=colour,
                tooltip=['network:N', 'name:N', alt.Tooltip(f'{y}:Q', format='.4g')],
            )
        )

    ticks = decades([row['gradient'] for row in rows])
    scale = alt.Scale(type='log', domain=[ticks[0], ticks[-1]]) if ticks else alt.Scale()
    return styled_column(
        [
            panel('layer', 'layer, in order', 'std', STD),
            panel('rank', 'layer, sorted by size', 'std', STD),
            panel(
                'layer', 'layer, in order', 'gradient', GRADIENT, scale=scale, axis=alt.Axis(values=ticks, format='~g')
            ),
        ]
    )


def short(names: Sequence[str]) -> list[str]:
    """Shortens the paths of runs or configs to different names, which keep the folders that distinguish them.

    'runs/resnet20_cifar10/seed0' and 'runs/plain20_cifar10/seed0' become 'resnet20_cifar10' and 'plain20_cifar10'.
    """
    paths = [_parts(name) for name in names]
    starts = [_start(path) for path in paths]
    called = [list(path[start:]) for path, start in zip(paths, starts, strict=True)]
    while len(called) > 1 and min(map(len, called)) > 1 and len({path[-1] for path in called}) == 1:
        called = [path[:-1] for path in called]
    called = [
        [*name, f'of {path[start - 1]}'] if called.count(name) > 1 and start > 0 else name
        for name, path, start in zip(called, paths, starts, strict=True)
    ]
    texts = [', '.join(path) for path in called]
    return [text if texts.count(text) == 1 else f'{text} ({i})' for i, text in enumerate(texts, start=1)]


def _parts(name: str) -> tuple[str, ...]:
    for end in ENDS:
        name = name.removesuffix(end)
    return PurePath(name).parts or (name,)


def _start(path: Sequence[str]) -> int:
    """Returns the position in a path at which the name of the network begins."""
    roots = [i + 1 for i, part in enumerate(path[:-1]) if part in ROOTS]
    return roots[-1] if roots else max(0, len(path) - (2 if path[-1].startswith('seed') else 1))


def ranks(values: Sequence[float]) -> list[int]:
    """Returns the rank of each value: 1 for the largest, 2 for the next, ..."""
    order = sorted(range(len(values)), key=lambda i: -values[i])
    return [order.index(i) + 1 for i in range(len(values))]


def decades(values: Sequence[float]) -> list[float]:
    """Returns the powers of ten that enclose the values above 0, from the last one below to the first one above."""
    above_zero = [value for value in values if value > 0]
    if not above_zero:
        return []
    first, last = floor(log10(min(above_zero))), ceil(log10(max(above_zero)))
    return [10.0**k for k in range(first, max(last, first + 1) + 1)]
