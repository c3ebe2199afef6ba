"""Durations with units ('64000 steps', '164 epochs', '8192000 examples'), and their conversion to steps."""

import re
import sys
from dataclasses import dataclass
from fractions import Fraction
from math import ceil

PATTERN = (
    r'^\s*(?=[0_.]*[1-9])([0-9_]{1,20}/0*[1-9][0-9]{0,9}|[0-9_]{0,20}(?:\.[0-9_]{0,20})?(?:[eE][+-]?[0-9]{1,2})?)'
    r'\s+(step|epoch|example)s?\s*\Z'
)
"""Pattern of a valid duration: a positive number and a unit. Larger exponents could take very long, or all memory."""


def parse(duration: str) -> tuple[Fraction, str]:
    """Parses '2 epochs', '1 epoch' or '0.5 epochs' to an amount and 'epochs'. Raises ValueError for other strings."""
    match = re.match(PATTERN, duration)
    if match is None:
        raise ValueError(f"a duration must be a positive number and a unit, such as '2 epochs'; got {duration!r}")
    return Fraction(match[1].replace('_', '')), f'{match[2]}s'


@dataclass(frozen=True)
class Clock:
    """Converts durations to steps: N epochs of E examples in batches of B end at step ceil(N x E / B).

    A shortened recipe of S has its end, its drops and its warm-up at ceil(N x E / B / S). Intervals stay as they are.

    Attributes:
        epoch_size: number of examples in an epoch.
        batch_size: number of examples in a step.
        shorten: how many times a recipe is shortened, `config.shorten`.
    """

    epoch_size: int
    batch_size: int
    shorten: int = 1

    def steps(self, duration: str) -> int:
        """The first step at which a duration of the recipe has passed."""
        return ceil(self._exact(duration) / self.shorten)

    def next_due(self, duration: str | None, step: int) -> int:
        """The first step after `step` at which an action that happens every `duration` is due. None is never."""
        if duration is None:
            return sys.maxsize
        exact = self._exact(duration)
        return ceil((step // exact + 1) * exact)

    def is_due(self, duration: str | None, step: int) -> bool:
        """Whether an action that happens every `duration` is due at `step`; never at step 0."""
        return step > 0 and self.next_due(duration, step - 1) == step

    def epochs(self, step: int) -> float:
        """Number of epochs that have passed at `step`."""
        return step * self.batch_size / self.epoch_size

    def _exact(self, duration: str) -> Fraction:
        amount, unit = parse(duration)
        examples = {'steps': self.batch_size, 'epochs': self.epoch_size, 'examples': 1}[unit]
        return amount * Fraction(examples, self.batch_size)
