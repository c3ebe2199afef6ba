"""What a field is, and the kinds of them: whole numbers, numbers, texts, choices, flags, durations, tuples."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from jax_resnet.config.durations import Duration


@dataclass(frozen=True)
class Field:
    """A field of a config.

    Attributes:
        meaning: what it is.
        words: which values it takes, said after 'must be'; or a function that returns that.
        test: of a value, which may raise TypeError, ValueError or OverflowError for one of another type.
        optional: whether it may be empty (None).
        is_flag: whether it is True or False, so that a command line may name it without a value.
    """

    meaning: str
    words: str | Callable[[], str]
    test: Callable[[Any], bool]
    optional: bool = False
    is_flag: bool = False

    @property
    def allowed(self) -> str:
        """Which values it takes, in words."""
        return self.words if isinstance(self.words, str) else self.words()

    def accepts(self, value: Any) -> bool:
        """Whether it may have this value."""
        if value is None:
            return self.optional
        try:
            return bool(self.test(value))
        except (TypeError, ValueError, OverflowError):
            return False


SMALLEST, LARGEST = 1.2e-38, 3.4e38
"""Positive numbers of float32."""


def whole(least: int, meaning: str, optional: bool = False, most: int | None = None) -> Field:
    """A whole number."""
    words = f'a whole number, at least {least} and '  # 2**32 is what a seed can be; nothing else needs more
    words += 'below 2**32' if most is None else f'at most {most}'
    return Field(meaning, words, lambda v: is_whole(v, least) and (most is None or v <= most), optional)


def number(least: float, most: float, meaning: str, optional: bool = False, open_low: bool = False) -> Field:
    """A number that float32 can hold; `least` itself is left out where it is `open_low`."""
    words = f'a finite number {"above" if open_low else "from"} {least:g}'
    words += f' to {most:g}' if most < math.inf else ' in the range of float32'

    def accepts(v: Any) -> bool:
        if type(v) not in (int, float) or not math.isfinite(v) or abs(v) > LARGEST:
            return False
        return (v > least + SMALLEST if open_low else v >= least) and v <= most

    return Field(meaning, words, accepts, optional)


def text(meaning: str, optional: bool = False) -> Field:
    """A text."""
    return Field(meaning, 'a text', lambda v: isinstance(v, str), optional)


def choice(names: Callable[[], Iterable[str]] | Iterable[str], meaning: str) -> Field:
    """One of some names; a function that returns them is asked when they are needed."""

    def known() -> list[str]:
        return list(names() if callable(names) else names)

    return Field(meaning, lambda: f'one of {", ".join(known())}', lambda v: isinstance(v, str) and v in known())


def flag(meaning: str) -> Field:
    """True or False."""
    return Field(meaning, 'True or False', lambda v: isinstance(v, bool), is_flag=True)


def duration(meaning: str, optional: bool = False) -> Field:
    """A duration with its unit."""
    words = "a positive number and a unit, as '64000 steps', '2 epochs' or '8192000 examples'"
    return Field(meaning, words, is_duration, optional)


def sequence(meaning: str, allowed: str, accepts: Callable[[Any], bool], lengths: Iterable[int] = ()) -> Field:
    """A tuple of what `accepts` accepts, of one of the `lengths`, of any where none is given."""
    known = tuple(lengths)
    return Field(
        meaning,
        f'a tuple of {allowed}',
        lambda v: isinstance(v, tuple) and all(map(accepts, v)) and (not known or len(v) in known),
    )


def is_whole(value: Any, least: int) -> bool:
    """Whether a value is a whole number, at least `least`, and not too large."""
    return type(value) is int and least <= value < 2**32


def is_duration(value: Any) -> bool:
    """Whether a value is a duration, such as '2 epochs'."""
    return isinstance(value, str) and bool(Duration.parse(value))


def is_share(value: Any) -> bool:
    """Whether a value is a number above 0, at most 1."""
    return type(value) in (int, float) and 0 < value <= 1


def shown(value: Any) -> str:
    """A value as a message shows it: short, whatever it is."""
    try:
        words = repr(value)
    except (ValueError, RecursionError):  # an integer of more digits than Python prints; something without end
        return f'<a value of type {type(value).__name__} that cannot be shown>'
    return words if len(words) <= 200 else f'{words[:180]}... ({len(words):,} characters)'
