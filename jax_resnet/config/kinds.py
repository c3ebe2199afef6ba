"""Config fields and their kinds: whole numbers, numbers, texts, choices, flags, durations, tuples."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from jax_resnet.config.durations import Duration


@dataclass(frozen=True)
class Field:
    """A field of a config.

    Attributes:
        meaning: description of the field.
        words: description of the allowed values, to follow 'must be'; or a function that returns it.
        test: function that checks a value. It may raise TypeError, ValueError or OverflowError for a wrong type.
        optional: whether the field may be empty (None).
        is_flag: whether the field is True or False. The command line may then give it without a value.
    """

    meaning: str
    words: str | Callable[[], str]
    test: Callable[[Any], bool]
    optional: bool = False
    is_flag: bool = False

    @property
    def allowed(self) -> str:
        """Description of the allowed values."""
        return self.words if isinstance(self.words, str) else self.words()

    def accepts(self, value: Any) -> bool:
        """Whether the field allows this value."""
        if value is None:
            return self.optional
        try:
            return bool(self.test(value))
        except (TypeError, ValueError, OverflowError):
            return False


SMALLEST, LARGEST = 1.2e-38, 3.4e38
"""Limits of the positive float32 numbers."""


def whole(least: int, meaning: str, optional: bool = False, most: int | None = None) -> Field:
    """A whole number."""
    words = f'a whole number, at least {least} and '  # a seed must be below 2**32; no other field needs more
    words += 'below 2**32' if most is None else f'at most {most}'
    return Field(meaning, words, lambda v: is_whole(v, least) and (most is None or v <= most), optional)


def number(least: float, most: float, meaning: str, optional: bool = False, open_low: bool = False) -> Field:
    """A number in the range of float32. With `open_low`, it must be larger than `least`."""
    words = f'a finite number {"above" if open_low else "from"} {least:g}'
    if most < math.inf:
        words += f' and at most {most:g}' if open_low else f' to {most:g}'
    else:
        words += ' in the range of float32'

    def accepts(v: Any) -> bool:
        if type(v) not in (int, float) or not math.isfinite(v) or abs(v) > LARGEST:
            return False
        return (v > least + SMALLEST if open_low else v >= least) and v <= most

    return Field(meaning, words, accepts, optional)


def text(meaning: str, optional: bool = False) -> Field:
    """A text."""
    return Field(meaning, 'a text', lambda v: isinstance(v, str), optional)


def choice(names: Callable[[], Iterable[str]] | Iterable[str], meaning: str) -> Field:
    """One of some names. If `names` is a function, it is called when the names are needed."""

    def known() -> list[str]:
        return list(names() if callable(names) else names)

    return Field(meaning, lambda: f'one of {", ".join(known())}', lambda v: isinstance(v, str) and v in known())


def flag(meaning: str) -> Field:
    """True or False."""
    return Field(meaning, 'True or False', lambda v: isinstance(v, bool), is_flag=True)


def duration(meaning: str, optional: bool = False) -> Field:
    """A duration with its unit."""
    words = "a positive number and a unit, such as '64000 steps', '2 epochs' or '8192000 examples'"
    return Field(meaning, words, is_duration, optional)


def sequence(meaning: str, allowed: str, accepts: Callable[[Any], bool], lengths: Iterable[int] = ()) -> Field:
    """A tuple whose elements pass `accepts`. It has one of the `lengths`; without `lengths`, any length is allowed."""
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
    """A short text of a value of any type, for a message."""
    try:
        words = repr(value)
    except (ValueError, RecursionError):  # an integer with too many digits; an object that contains itself
        return f'<a value of type {type(value).__name__} that cannot be shown>'
    return words if len(words) <= 200 else f'{words[:180]}... ({len(words):,} characters)'
