"""The learning rate by step: constant pieces, with the papers' warm-up in front, or a cosine behind it."""

from collections.abc import Mapping
from math import cos, pi
from typing import Any, NamedTuple

import jax
import optax
from jax.typing import ArrayLike

from jax_resnet.config.durations import Clock


class Schedule(NamedTuple):
    """A learning rate.

    Attributes:
        pieces: (first step, learning rate) of each constant piece.
        zero_at: the step at which the last piece, bent to half a cosine, has come down to zero; None: it is constant.
        rises: the first piece goes from its rate to the second's by equal steps; else it is constant.
    """

    pieces: list[tuple[int, float]]
    zero_at: int | None = None
    rises: bool = False

    def __call__(self, count: ArrayLike) -> jax.Array:
        """The rate of the update that follows step `count` (the first is 0), as optax asks for it."""
        starts, rates = zip(*(piece for piece in self.pieces if piece[0] < 2**31), strict=True)  # what a step can be
        parts = [optax.constant_schedule(rate) for rate in rates]
        if self.zero_at is not None:
            parts[-1] = optax.cosine_decay_schedule(rates[-1], self.zero_at - starts[-1])
        if self.rises:
            parts[0] = optax.linear_schedule(*rates[:2], starts[1])
        rate: jax.Array = optax.join_schedules(parts, starts[1:])(count)
        return rate

    def rate(self, count: int) -> float:
        """The same, as a number."""
        start, rate = next(piece for piece in reversed(self.pieces) if piece[0] <= count)
        if self.zero_at is not None and start == self.pieces[-1][0]:
            rate *= (1 + cos(pi * min(1, (count - start) / (self.zero_at - start)))) / 2
        if self.rises and start == 0:
            end, high = self.pieces[1]
            rate += (high - rate) * count / end
        return rate

    def describe(self, end: int) -> list[str]:
        """Lines for a person: the pieces up to the step `end`, and those that are never reached."""
        rates = [f'{rate:g} from step {start:,}' for start, rate in self.pieces if start < end]
        if self.rises:
            rates[0] += ', rising by equal steps'
        down = '' if self.zero_at is None else f', by half a cosine to zero at step {self.zero_at:,}'
        lines = [f'learning rate {", ".join(rates)}{down}']
        late = [f'{start:,}' for start, _ in self.pieces if start >= end]
        if late:
            lines.append(
                f'the changes of the learning rate at steps {", ".join(late)} are past the end and never reached'
            )
        return lines


def create(config: Mapping[str, Any], clock: Clock, end: int) -> Schedule:
    """The schedule of `config.schedule`.

    Args:
        config: `name`, one of SCHEDULES; `learning_rate`; `drop_at`, durations after each of which it is multiplied by
            `factor`; `warmup_for` and `warmup_learning_rate`, or None; `warmup_shape`, 'constant' (ResNet-110's:
            He et al. 2015, section 4.2) or 'linear' (Goyal et al. 2017, section 2.2). A cosine (Loshchilov and Hutter,
            2016, arXiv 1608.03983, without restarts) has no drops.
        clock: of the run.
        end: its last step.

    Raises:
        ValueError: a warm-up without its rate, or constant at zero; drops that are not in order, or before the
            warm-up's end; a cosine with drops, or with a warm-up that lasts to the end.
    """
    pieces = [(0, float(config['learning_rate']))]
    if config['warmup_for'] is not None:
        if config['warmup_learning_rate'] is None:
            raise ValueError('warmup_learning_rate: must be given with warmup_for')
        if config['warmup_shape'] == 'constant' and not config['warmup_learning_rate']:
            raise ValueError("warmup_learning_rate=0.0: must be above 0 with warmup_shape='constant'")
        pieces = [(0, float(config['warmup_learning_rate'])), (clock.steps(config['warmup_for']), pieces[0][1])]
    rises = config['warmup_shape'] == 'linear' and len(pieces) > 1
    if config['name'] == 'cosine':
        if config['drop_at']:
            how = "--config.schedule.drop_at='()'"
            raise ValueError(f"drop_at={config['drop_at']}: must be () with name='cosine' ({how})")
        if pieces[-1][0] >= end:
            raise ValueError(f'warmup_for={config["warmup_for"]!r}: must end before the end, step {end:,}')
        return Schedule(pieces, end, rises)
    for k, duration in enumerate(config['drop_at'], start=1):
        pieces.append((clock.steps(duration), config['learning_rate'] * config['factor'] ** k))
    starts = [start for start, _ in pieces]
    if starts != sorted(set(starts)):
        raise ValueError(f'drop_at: warm-up and drops must come one after another; they begin at steps {starts}')
    return Schedule(pieces, rises=rises)
