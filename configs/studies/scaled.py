"""Which network of less than 5 million parameters is best, in Scaled's design space?

N residual stages of B units, C channels in the first (each later stage has twice as many), windows of F x F in the
units and of K x K in the shortcuts, and P x P outputs of the pooling. Scaled published that N = 2, C = 128, B = 3,
F = 3, P = 1 is best, with an error of 9.30 %. Rates of DropBlock and dropout are not told; these here are our choice.

The argument is `grid` (all of the space), or how many random draws, and the seed of the draws: 20 or 20,seed=1.

    python -m jax_resnet.study --study=configs/studies/scaled.py:20 --limit=5e6
"""

import itertools
import random
from typing import Any

from configs.studies import base

SPACE: dict[str, tuple[Any, ...]] = {
    'stages': (2, 3, 4, 5),
    'units': (1, 2, 3),
    'width': (32, 64, 128),
    'window': (3, 5),
    'shortcut_window': (1, 3),
    'pooled_size': (1, 2),
    'drop': (0.0, 0.1),
}
BEST = {
    'stages': 2, 'units': 3, 'width': 128, 'window': 3, 'shortcut_window': 3, 'pooled_size': 1, 'drop': 0.0,
}  # fmt: skip


def get_study(argument: str = '20') -> dict[str, Any]:
    grid = [dict(zip(SPACE, values, strict=True)) for values in itertools.product(*SPACE.values())]
    if argument != 'grid':
        count, _, seed = argument.partition(',seed=')
        # The whole space in a random order: those that the limit on parameters leaves out are cut by whoever runs it.
        grid = random.Random(int(seed or 0)).sample(grid, min(int(count), len(grid)))
    points = [BEST, *(point for point in grid if point != BEST)]
    return base.study([_row(point) for point in points], 'Scaled, at the end of training')


def _row(point: dict[str, Any]) -> dict[str, Any]:
    stages, drop = point['stages'], point['drop']
    changes = {
        'model.stage_sizes': (point['units'],) * stages,
        'model.width': point['width'],
        'model.windows': (point['window'],) * stages,
        'model.shortcut_windows': (point['shortcut_window'],) * stages,
        'model.pooled_size': point['pooled_size'],
        'model.drop_block': drop,
        'model.dropout': drop,
    }
    label = (
        f'N={stages} B={point["units"]} C={point["width"]} F={point["window"]} '
        f'K={point["shortcut_window"]} P={point["pooled_size"]} drop={drop:g}'
    )
    return base.row(label, 'scaled_cifar10.py', changes, published=9.30 if point == BEST else None)
