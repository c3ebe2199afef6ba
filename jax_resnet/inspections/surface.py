"""Measures the loss around a network: along one random direction, and over the plane of two.

Li et al. 2018, arXiv 1712.09913. Each direction is drawn by --seed, and normalized by filter: each filter of it has the
norm of the network's filter. BatchNorm's arrays and the biases do not change. The loss is that of a part of the
training data, without augmentation, and with the network's own BatchNorm statistics.
"""

import argparse
from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

import numpy as np
from tqdm import tqdm

from jax_resnet.errors import ConfigError
from jax_resnet.inspections import charts
from jax_resnet.report.charts import SHADES, altair


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add('--split', default='train[:1000]', help="split in TFDS's syntax (default: train[:1000])")
    add('--points', type=int, default=21, help='points on the line, an odd number; the plane has half (default: 21)')
    add('--reach', type=float, default=1.0, help='the largest distance in both directions (default: 1)')
    add('--seed', type=int, default=0, help='seed of the directions (default: 0)')


def measure(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Measures each network on its line and its plane."""
    import jax

    from jax_resnet.inspections.networks import open_networks

    if options.points < 3 or not options.points % 2:
        raise ConfigError(f'--points={options.points}: must be an odd number, at least 3')
    line = np.linspace(-options.reach, options.reach, options.points)
    half = max(3, options.points // 2 + 1 - options.points // 2 % 2)  # odd, so that the network itself is a point
    plane, measured = np.linspace(-options.reach, options.reach, half), []
    for net in open_networks(options):
        params = net.variables['params']
        keys = jax.random.split(jax.random.key(options.seed))
        one, other = (direction(params, key) for key in keys)
        score, coordinates = net.scorer(options.split), [*product(line, [0.0]), *product(plane, plane)]
        points = []
        for a, b in tqdm(coordinates, desc=f'surface of {net.name}', disable=None, leave=False):
            moved = jax.tree.map(
                lambda x, d, e, a=a, b=b: x + np.float32(a) * d + np.float32(b) * e, params, one, other
            )
            found = score({**net.variables, 'params': moved})
            points.append({'a': float(a), 'b': float(b), 'loss': found.loss, 'error': found.error})
        about = {'network': net.name, 'split': options.split, 'examples': found.count, 'seed': options.seed}
        measured.append({**about, 'line': points[: len(line)], 'plane': points[len(line) :]})
    return measured


def direction(params: Any, key: Any) -> Any:
    """Draws a direction with the norms of the network's filters; it is zero for arrays of one dimension.

    Args:
        params: the network's parameters. The last dimension of a kernel counts its filters.
        key: a random key.
    """
    import jax
    import jax.numpy as jnp

    arrays, tree = jax.tree.flatten(params)
    drawn = []
    for x, own in zip(arrays, jax.random.split(key, len(arrays)), strict=True):
        filters = tuple(range(x.ndim - 1))
        d = jax.random.normal(own, x.shape)
        norms = [jnp.sqrt(jnp.square(array).sum(filters)) for array in (x, d)]
        drawn.append(d * (norms[0] / (norms[1] + 1e-10)) if filters else jnp.zeros_like(x))
    return jax.tree.unflatten(tree, drawn)


def draw(measured: Sequence[dict[str, Any]]) -> list[Any]:
    """Draws the lines of all networks in one panel, and a map of each plane."""
    alt, networks = altair(), charts.named(measured)
    rows = [{'network': name, **point} for name, one in networks for point in one['line']]
    line = charts.panel(
        rows, ('a', 'distance in one direction'), ('loss', 'loss'), also=['error:Q'], **charts.LOGARITHMIC
    )
    scale = alt.Scale(type='log', range=SHADES)
    maps = []
    for name, one in networks:
        base = alt.Chart(alt.Data(values=one['plane']), width=190, height=190, title=name)
        maps.append(
            base.mark_rect().encode(
                x=alt.X('a:O', title='one direction', axis=alt.Axis(format='.1f', labelAngle=0)),
                y=alt.Y('b:O', title='the other', axis=alt.Axis(format='.1f'), sort='descending'),
                color=alt.Color('loss:Q', scale=scale, legend=alt.Legend(title='loss', format='.2g')),
                tooltip=[alt.Tooltip('loss:Q', format='.4g'), 'error:Q'],
            )
        )
    return [line, alt.concat(*maps, columns=3)]


def summarize(measured: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Yields a line for each network."""
    for one in measured:
        line = one['line']
        middle, ends = line[len(line) // 2], (line[0], line[-1])
        yield (
            f'{one["network"]}: on {one["split"]}, {one["examples"]:,} examples, loss {middle["loss"]:.4f}; at the '
            f'ends of the line {ends[0]["loss"]:.4f} and {ends[1]["loss"]:.4f}; on the plane at most '
            f'{max(point["loss"] for point in one["plane"]):.4f}'
        )
