"""The names of ImageNet's classes by WordNet synset."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from types import MappingProxyType


@cache
def imagenet_classes() -> MappingProxyType[str, str]:
    """The names of ImageNet's 1,000 classes by synset, such as n01440764, in the order of the labels."""
    lines = Path(__file__).with_name('imagenet_classes.txt').read_text(encoding='utf-8').splitlines()
    return MappingProxyType(dict(line.split(' ', 1) for line in lines))


def shown_names(names: Sequence[str]) -> tuple[str, ...]:
    """Class names for people. If all names are ImageNet's synsets, returns their words; else returns them unchanged."""
    words = imagenet_classes()
    return tuple(words[name] for name in names) if all(name in words for name in names) else tuple(names)
