"""Measures loss and error on the straight line between two networks of the same architecture.

Frankle et al. 2020, arXiv 1912.05671. All arrays are mixed: parameters, BatchNorm's statistics, and the normalization
of the images. The instability is the largest error on the line, less the mean error of its two ends. The paper calls
networks with an instability below 2 % stable.
"""

import argparse
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from tqdm import tqdm

from jax_resnet.errors import ConfigError
from jax_resnet.inspections import charts


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--split', help="split in TFDS's syntax, such as test[:1000] (default: the test split)")
    parser.add_argument('--points', type=int, default=21, help='points on the line, with its ends (default: 21)')


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Evaluates the networks on the line, on the data of the first."""
    import jax

    from jax_resnet.inspections.networks import open_networks
    from jax_resnet.training.load import check_weights

    if len(options.networks) != 2 or options.points < 2:
        raise ConfigError('path: must have two networks, and at least 2 --points')
    first, second = open_networks(options)
    check_weights(second.name, second.variables, second.config, first.model, first.variables, first.name)
    if first.preprocess.crop != second.preprocess.crop:
        raise ConfigError(f'{second.name}: has another crop than {first.name}')
    split, points = options.split or first.test_split, []
    score = first.scorer(split)
    for share in tqdm(np.linspace(0, 1, options.points), desc='points', disable=None, leave=False):
        a, b = np.float32(1 - share), np.float32(share)
        ends = [(net.variables, net.preprocess.normalize) for net in (first, second)]
        variables, normalize = jax.tree.map(lambda x, y, a=a, b=b: a * x + b * y, *ends)
        found = score(variables, normalize=normalize)
        points.append({'share': float(share), 'loss': found.loss, 'error': found.error})
    errors = [point['error'] for point in points]
    return {
        'networks': options.networks,
        'split': split,
        'examples': found.count,
        'instability': max(errors) - (errors[0] + errors[-1]) / 2,
        'points': points,
    }


def draw(measured: Mapping[str, Any]) -> list[Any]:
    """Draws error and loss along the line."""
    a, b = charts.short(measured['networks'])
    rows = [{'network': f'from {a} to {b}', **point} for point in measured['points']]
    share = 'share', f'share of {b}'
    loss = charts.panel(rows, share, ('loss', 'loss'), also=['error:Q'])
    return [charts.panel(rows, share, ('error', 'error (%)')), loss]


def summarize(measured: Mapping[str, Any]) -> Iterator[str]:
    """Yields two lines."""
    errors = [point['error'] for point in measured['points']]
    yield f'{" to ".join(measured["networks"])}: on {measured["split"]}, {measured["examples"]:,} examples'
    yield (
        f'  error {errors[0]:.2f} % and {errors[-1]:.2f} % at the ends, at most {max(errors):.2f} % on the line: '
        f'instability {measured["instability"]:.2f} %'
    )
