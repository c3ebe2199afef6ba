"""Learning rate schedules: piecewise constant or half a cosine, each with an optional warm-up."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from jax_resnet.config import fields
from jax_resnet.config.durations import Clock
from jax_resnet.own_parts import choose, errors


class Schedule(NamedTuple):
    """A learning rate as a function of the step. It consists of pieces, which are constant by default.

    Its numbers can be arguments of a compiled program.

    Attributes:
        pieces: (first step, learning rate) of each piece.
        zero_at: the last piece is half a cosine that reaches zero at this step. None: it is constant.
        rises: whether the first piece rises linearly to the rate of the second.
        rates: the learning rate of each step, float32 [end], from own code; there are then no pieces.
    """

    pieces: list[tuple[int, float]]
    zero_at: int | None = None
    rises: bool = False
    rates: np.ndarray | None = None

    def rate(self, count: ArrayLike, xp: Any = np) -> Any:
        """The learning rate of the update after step `count`, [...]. The first update is after step 0.

        Args:
            count: int [...].
            xp: the library that computes it, `numpy` or, in a compiled program, `jax.numpy`.
        """
        if self.rates is not None:
            return xp.asarray(self.rates)[xp.minimum(count, len(self.rates) - 1)]
        starts, rates = zip(*self.pieces, strict=True)
        piece = sum(xp.asarray(start <= count, int) for start in starts) - 1
        rate = xp.asarray(rates)[piece]
        if self.zero_at is not None:
            share = xp.minimum((count - starts[-1]) / (self.zero_at - starts[-1]), 1)
            rate = xp.where(piece == len(rates) - 1, rate * (1 + xp.cos(np.pi * share)) / 2, rate)
        if len(rates) > 1:
            rising = rates[0] + (rates[1] - rates[0]) * (count / starts[1])
            rate = xp.where(self.rises & (piece == 0), rising, rate)
        return rate

    def describe(self, end: int) -> list[str]:
        """Lines for the log: the pieces that begin before step `end`, and the steps of those that do not."""
        if self.rates is not None:
            steps = sorted({0, int(self.rates.argmax()), end - 1})
            return [f'learning rate {", ".join(f"{self.rates[step]:g} at step {step:,}" for step in steps)}']
        rates = [f'{rate:g} from step {start:,}' for start, rate in self.pieces if start < end]
        if self.rises:
            rates[0] += ', rising linearly'
        if self.zero_at is not None:
            rates[-1] += f', falling as half a cosine to zero at step {self.zero_at:,}'
        lines = [f'learning rate {", ".join(rates)}']
        late = [f'{start:,}' for start, _ in self.pieces if start >= end]
        if late:
            lines.append(
                f'the changes of the learning rate at steps {", ".join(late)} are after the end and never reached'
            )
        return lines


def create(config: fields.Schedule, clock: Clock, end: int) -> Schedule:
    """Makes the schedule of `config.schedule`.

    Args:
        config: the group `schedule` of a config. A cosine has no restarts (Loshchilov and Hutter 2016, arXiv
            1608.03983). A warm-up is constant for ResNet-110 (He et al. 2015, section 4.2), and linear in Goyal et al.
            2017 (section 2.2). An own function gets the arguments of this one, and returns the learning rate of each
            step, [end].
        clock: converts durations to steps.
        end: the last step of the run.

    Raises:
        ValueError: the warm-up has no learning rate, or is constant at zero; the drops are not in order, or begin
            before the end of the warm-up; a cosine has drops, or a warm-up that lasts to the end.
    """
    if config.name not in ('piecewise', 'cosine'):
        with errors('name', config.name):
            rates = np.asarray(choose('name', config.name, {})(config, clock, end), np.float32)
            if rates.shape != (end,) or not np.isfinite(rates).all() or rates.min() < 0:
                raise ValueError(f'must return the learning rate of each step, [{end}], finite, at least 0')
        return Schedule([], rates=rates)
    pieces = [(0, float(config.learning_rate))]
    if config.warmup_for is not None:
        if config.warmup_learning_rate is None:
            raise ValueError('warmup_learning_rate: must be given with warmup_for')
        if config.warmup_shape == 'constant' and not config.warmup_learning_rate:
            raise ValueError("warmup_learning_rate=0.0: must be above 0 with warmup_shape='constant'")
        pieces = [(0, float(config.warmup_learning_rate)), (clock.steps(config.warmup_for), pieces[0][1])]
    rises = config.warmup_shape == 'linear' and len(pieces) > 1
    if config.name == 'cosine':
        if config.drop_at:
            flag = "--config.schedule.drop_at='()'"
            raise ValueError(f"drop_at={config.drop_at}: must be () with name='cosine' ({flag})")
        if pieces[-1][0] >= end:
            raise ValueError(f'warmup_for={config.warmup_for!r}: must end before the last step, {end:,}')
        return Schedule(pieces, end, rises)
    for k, duration in enumerate(config.drop_at, start=1):
        pieces.append((clock.steps(duration), config.learning_rate * config.factor**k))
    starts = [start for start, _ in pieces]
    if starts != sorted(set(starts)):
        raise ValueError(f'drop_at: drops must be in order and after the warm-up; the pieces begin at steps {starts}')
    return Schedule(pieces, rises=rises)
