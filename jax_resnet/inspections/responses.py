"""Measures each 3x3 layer: the standard deviation of its response, and the norm of the loss's gradient there.

He et al. 2015, Figure 7. The chart shows the layers in order and sorted by size. BatchNorm uses the statistics of the
batch, as in training.
"""

import argparse
import contextlib
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice
from typing import Any

from jax_resnet.errors import ConfigError
from jax_resnet.inspections import charts


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--examples', type=int, default=512, help='number of training images (default: 512)')


def measure(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Measures networks on the first examples of their training splits."""
    import jax

    from jax_resnet.inspections.networks import open_networks
    from jax_resnet.models import layer_responses
    from jax_resnet.models.batch_norm import count_groups
    from jax_resnet.platform import exactness
    from jax_resnet.training.step import cross_entropy

    measured, count = [], options.examples
    for net in open_networks(options):
        batch_size, size = net.config.batch_size, net.data.source.count(net.config.dataset.train)
        if not batch_size <= count <= size:
            name = f'the batch size of {net.name}'
            raise ConfigError(f'--examples={count}: must be from {batch_size}, {name}, to {size:,}')
        try:
            group_size = 0 if net.config.batch_norm.frozen else net.config.batch_norm.group_size
            count_groups(batch_size, group_size)
        except ValueError as e:
            raise ConfigError(f'{net.name}: {e}') from None
        with contextlib.closing(net.split(net.config.dataset.train, batch_size).batches()) as found:
            first = islice(found, count // batch_size)
            batches = [(net.preprocess.normalize(views[:, 0]), labels) for _, labels, views in first]
        compiled = partial(jax.jit, compiler_options=dict(net.platform.compiler_options))
        with exactness.exact(net.config.precision.matmul):
            layers = layer_responses.measure(net.model, net.variables, batches, cross_entropy, compiled)
        numbers = {'std': layers.std.tolist(), 'gradient_norm': layers.gradient_norm.tolist()}
        measured.append({'network': net.name, 'examples': len(batches) * batch_size, 'layers': layers.names, **numbers})
    return measured


def draw(measured: Sequence[dict[str, Any]]) -> list[Any]:
    """Draws the two panels of the figure, and a panel of the gradients below them."""
    rows = []
    for name, one in charts.named(measured):
        largest = sorted(one['std'], reverse=True)
        columns = zip(one['layers'], one['std'], one['gradient_norm'], strict=True)
        for layer, (of, std, norm) in enumerate(columns, start=1):
            about = {'network': name, 'layer': layer, 'rank': largest.index(std) + 1, 'name': of}
            rows.append({**about, 'std': std, 'gradient': norm or None})
    in_order, std = ('layer', 'layer, in order'), ('std', 'standard deviation of the response')
    gradient = 'gradient', "norm of the loss's gradient"
    return [
        charts.panel(rows, in_order, std, also=['name:N']),
        charts.panel(rows, ('rank', 'layer, sorted by size'), std, also=['name:N']),
        charts.panel(rows, in_order, gradient, also=['name:N'], **charts.LOGARITHMIC),
    ]


def summarize(measured: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Yields a line for each network."""
    for one in measured:
        std, norms = one['std'], one['gradient_norm']
        yield (
            f'{one["network"]}: {len(std)} layers of 3x3, mean standard deviation {sum(std) / len(std):.3g}, '
            f"norm of the loss's gradient {norms[0]:.3g} at the first and {norms[-1]:.3g} at the last"
        )
