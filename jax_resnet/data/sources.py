"""What a data set offers: its splits, in TFDS's syntax, and their decoded examples."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from jax_resnet.data import cache
from jax_resnet.errors import DataError


@dataclass(frozen=True)
class Examples:
    """Decoded examples: `images` uint8 [n, height, width, channels], `labels` int32 [n]."""

    images: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Source:
    """A data set: its splits and shapes, and how to decode a whole split.

    Attributes:
        name: as in `config.dataset.name`.
        image_shape: (height, width, channels).
        class_names: one per label.
        split_infos: by split name, objects with `num_examples` and `shard_lengths`, as TFDS's.
        decode: from a split's name to its Examples.
        fingerprint: differs where the decoded arrays may differ.
    """

    name: str
    image_shape: tuple[int, int, int]
    class_names: tuple[str, ...]
    split_infos: Mapping[str, Any]
    decode: Callable[[str], Examples]
    fingerprint: str

    def count(self, spec: str) -> int:
        """Number of examples that a split string such as 'train[:20%]' names; nothing is decoded."""
        return sum(stop - start for _, start, stop in self._ranges(spec))

    def read(self, spec: str) -> Examples:
        """The examples of a split string in TFDS's syntax: 'test', 'train[:45000]', 'train[:10%]+train[90%:]'.

        Raises:
            DataError: an unknown split, a slice outside it, or none left; files that cannot be decoded.
        """
        parts = []
        for split, start, stop in self._ranges(spec):
            key = f'{self.name.replace("/", "-")}-{split}-{self.fingerprint}'
            arrays = cache.load(key, partial(self._decode, split))
            parts.append((arrays['images'][start:stop], arrays['labels'][start:stop]))
        images, labels = (np.concatenate(part) if len(part) > 1 else part[0] for part in zip(*parts, strict=True))
        return Examples(images, labels)

    def shared(self, one: str, other: str) -> int:
        """Number of examples that two split strings have in common."""
        return sum(
            max(0, min(stop, end) - max(start, begin))
            for split, start, stop in self._ranges(one)
            for name, begin, end in self._ranges(other)
            if name == split
        )

    def _decode(self, split: str) -> dict[str, np.ndarray]:
        examples = self.decode(split)
        known = len(self.class_names)
        if len(examples) and not 0 <= examples.labels.min() <= examples.labels.max() < known:
            raise DataError(f'{self.name}, split {split!r}: labels must be 0 to {known - 1}; found others')
        return {'images': examples.images, 'labels': examples.labels}

    def _ranges(self, spec: str) -> list[tuple[str, int, int]]:
        import tensorflow_datasets as tfds

        try:
            parts = tfds.core.ReadInstruction.from_spec(spec).to_absolute(self.split_infos)
        except Exception as e:  # TFDS raises ValueError, KeyError and AssertionError for bad strings
            known = ', '.join(f'{name} ({info.num_examples})' for name, info in self.split_infos.items())
            reason = ' '.join(str(e).split())
            raise DataError(f'split {spec!r} of {self.name}: {reason} Splits here: {known}') from None
        ranges = []
        for part in parts:
            size = self.split_infos[part.splitname].num_examples
            start, stop = part.from_ or 0, size if part.to is None else part.to
            if start >= stop:
                raise DataError(f'split {spec!r} of {self.name} has a part without examples, {start} to {stop}')
            ranges.append((part.splitname, start, stop))
        return ranges
