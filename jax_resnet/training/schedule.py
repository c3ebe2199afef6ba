"""The learning rate by step: constant pieces, with the papers' warm-up in front."""

from collections.abc import Mapping
from typing import Any

import optax

from jax_resnet.training.durations import Clock


def pieces(config: Mapping[str, Any], clock: Clock) -> list[tuple[int, float]]:
    """(first step, learning rate) of each constant piece.

    Args:
        config: `learning_rate`; `drop_at`, durations after each of which it is multiplied by `factor`;
            `warmup_for` and `warmup_learning_rate`, or None (ResNet-110's warm-up: He et al. 2015, section 4.2).
        clock: of the run.

    Raises:
        ValueError: a warm-up without its rate; drops that are not in order, or before the warm-up's end.
    """
    result = [(0, float(config['learning_rate']))]
    if config['warmup_for'] is not None:
        if config['warmup_learning_rate'] is None:
            raise ValueError('warmup_learning_rate: must be given with warmup_for')
        result = [(0, float(config['warmup_learning_rate'])), (clock.steps(config['warmup_for']), result[0][1])]
    for k, duration in enumerate(config['drop_at'], start=1):
        result.append((clock.steps(duration), config['learning_rate'] * config['factor'] ** k))
    starts = [start for start, _ in result]
    if starts != sorted(set(starts)):
        raise ValueError(f'drop_at: warm-up and drops must come one after another; they begin at steps {starts}')
    return result


def learning_rate(config: Mapping[str, Any], clock: Clock) -> optax.Schedule:
    """The rate of the update that follows step t (the first is 0), for optax. Arguments as for `pieces`."""
    starts, rates = zip(*pieces(config, clock), strict=True)
    return optax.join_schedules([optax.constant_schedule(rate) for rate in rates], starts[1:])
