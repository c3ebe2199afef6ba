"""Splits of a data set in TFDS's syntax: converts split strings to ranges and numbers of examples."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jax_resnet.errors import DataError


def other_classes(trained: Sequence[str], found: Sequence[str]) -> str:
    """Error message if a network was trained on the classes `trained`, but the data has the classes `found`."""
    shorter = min(len(trained), len(found))
    label = next((i for i in range(shorter) if trained[i] != found[i]), shorter)
    was, is_now = (repr(classes[label]) if label < len(classes) else 'none' for classes in (trained, found))
    return f'the data must have the classes that the network was trained on; label {label} is {is_now}, must be {was}'


@dataclass(frozen=True)
class Splits:
    """A data set's splits and classes.

    Attributes:
        name: as in `config.dataset.name`.
        class_names: one per label.
        split_infos: objects with `num_examples` and `shard_lengths`, like TFDS's, by the split's name.
    """

    name: str
    class_names: tuple[str, ...]
    split_infos: Mapping[str, Any]

    def count(self, spec: str) -> int:
        """Number of examples in a split such as 'train[:20%]'. Decodes nothing."""
        return sum(stop - start for _, start, stop in self.ranges(spec))

    def shared(self, one: str, other: str) -> int:
        """Number of examples that are in both splits."""
        return sum(
            max(0, min(stop, end) - max(start, begin))
            for split, start, stop in self.ranges(one)
            for name, begin, end in self.ranges(other)
            if name == split
        )

    def ranges(self, spec: str) -> list[tuple[str, int, int]]:
        """Converts a split string to ranges: name of the split, first example, and the example after the last.

        Raises:
            DataError: the split is unknown, or a slice is outside it or empty.
        """
        if spec in self.split_infos and self.split_infos[spec].num_examples:
            return [(spec, 0, self.split_infos[spec].num_examples)]  # the usual case needs no TFDS

        import tensorflow_datasets as tfds

        try:
            parts = tfds.core.ReadInstruction.from_spec(spec).to_absolute(self.split_infos)
        except Exception as e:  # TFDS raises ValueError, KeyError and AssertionError for bad strings
            known = ', '.join(f'{name} ({info.num_examples})' for name, info in self.split_infos.items())
            reason = ' '.join(str(e).split())
            raise DataError(f'split {spec!r} of {self.name}: {reason} The splits are {known}') from None
        ranges = []
        for part in parts:
            size = self.split_infos[part.splitname].num_examples
            start, stop = part.from_ or 0, size if part.to is None else part.to
            if start >= stop:
                raise DataError(f'split {spec!r} of {self.name} has a part without examples, from {start} to {stop}')
            ranges.append((part.splitname, start, stop))
        return ranges
