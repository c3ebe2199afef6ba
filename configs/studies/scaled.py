"""Which network of less than 5 million parameters is best, in Scaled's design space?

A network has N residual stages of B units each. The first stage has C channels, and each later stage has twice as many.
The windows are F x F in the units and K x K in the shortcuts, and the pooling has P x P outputs. Scaled published that
N = 2, C = 128, B = 3, F = 3, P = 1 is best, with an error of 9.30 %. It did not publish the rates of DropBlock and
dropout; they are our choice.

The argument is `grid` for compound scaling, in which all stages have the same B, F and K. Or it is the number of random
draws from the whole space, in which each stage has its own, with the seed of the draws: 20 or 20,seed=1. The best
network comes first. Networks above the limit are not counted.

    python -m jax_resnet study --study=configs/studies/scaled.py:20
"""

import itertools
import random
from typing import Any

from configs.published import CONFIGS
from configs.studies import base

STAGES = (1, 2, 3, 4, 5)
WIDTHS = (32, 64, 128)
UNITS = (1, 2, 3)
WINDOWS = (3, 5)
SHORTCUT_WINDOWS = (1, 3, 5)
POOLED_SIZES = (1, 2)
DROPS = ((0.0, 0.0), (0.1, 0.2))
"""Rates of DropBlock and of dropout."""

Point = dict[str, Any]


def get_study(argument: str = '20') -> dict[str, Any]:
    if argument == 'grid':
        return _study(_grid(), len(_grid()))
    count, _, seed = argument.partition(',seed=')
    draws = random.Random(int(seed or 0))
    # The limit leaves out most draws, because they are too large. So many more are drawn than are needed.
    return _study([_draw(draws) for _ in range(100 * int(count))], int(count) + 1)


def _study(points: list[Point], most: int) -> dict[str, Any]:
    rows = {row['label']: row for row in map(_row, [_point(2, 128, (3, 3), (3, 3), (3, 3), 1, DROPS[1]), *points])}
    best = next(iter(rows.values()))
    best['published'] = CONFIGS['scaled_cifar10'].error
    return base.published_study('scaled', list(rows.values()), most)


def _grid() -> list[Point]:
    axes = itertools.product(STAGES, WIDTHS, UNITS, WINDOWS, SHORTCUT_WINDOWS, POOLED_SIZES, DROPS)
    return [_point(n, c, (b,) * n, (f,) * n, (k,) * n, p, drop) for n, c, b, f, k, p, drop in axes]


def _draw(draws: random.Random) -> Point:
    n = draws.choice(STAGES)
    b, f, k = (tuple(draws.choices(values, k=n)) for values in (UNITS, WINDOWS, SHORTCUT_WINDOWS))
    return _point(n, draws.choice(WIDTHS), b, f, k, draws.choice(POOLED_SIZES), draws.choice(DROPS))


def _point(
    n: int, c: int, b: tuple[int, ...], f: tuple[int, ...], k: tuple[int, ...], p: int, drop: tuple[float, float]
) -> Point:
    return {
        'model.stage_sizes': b,
        'model.width': c,
        'model.windows': f,
        'model.shortcut_windows': (3, *k[1:]),  # the first stage has none: its shapes do not change
        'model.pooled_size': p,
        'model.drop_block': drop[0],
        'model.dropout': drop[1],
    }


def _row(point: Point) -> dict[str, Any]:
    def joined(name: str) -> str:
        return '-'.join(map(str, point[f'model.{name}']))

    label = (
        f'B {joined("stage_sizes")}, C {point["model.width"]}, F {joined("windows")}, K {joined("shortcut_windows")}, '
        f'P {point["model.pooled_size"]}' + (', drop' if point['model.dropout'] else '')
    )
    return base.row(label, 'scaled_cifar10.py', point)
