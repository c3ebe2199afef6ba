"""Data sets that are decoded completely into arrays of examples."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from jax_resnet.data import cache
from jax_resnet.data.splits import Splits
from jax_resnet.errors import DataError


@dataclass(frozen=True)
class Examples:
    """Decoded examples: `images` uint8 [n, height, width, channels], `labels` int32 [n]."""

    images: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Source(Splits):
    """A data set: its splits, its image shape, and a function that decodes a split.

    Attributes:
        image_shape: (height, width, channels).
        decode: takes the name of a split and returns its Examples.
        fingerprint: differs for data sets whose decoded arrays may differ.
        folder: the folder of the decoded arrays; None means the user's cache folder.
    """

    image_shape: tuple[int, int, int]
    decode: Callable[[str], Examples]
    fingerprint: str
    folder: Path | None = None

    def read(self, spec: str) -> Examples:
        """Examples of a split in TFDS's syntax, such as 'test', 'train[:45000]' or 'train[:10%]+train[90%:]'.

        Raises:
            DataError: the split is unknown, a slice is outside it or empty, or files cannot be decoded.
        """
        parts = []
        for split, start, stop in self.ranges(spec):
            key = f'{self.name.replace("/", "-")}-{split}-{self.fingerprint}'
            arrays = cache.load(key, partial(self._decode, split), self.folder)
            parts.append((arrays['images'][start:stop], arrays['labels'][start:stop]))
        images, labels = (np.concatenate(part) if len(part) > 1 else part[0] for part in zip(*parts, strict=True))
        return Examples(images, labels)

    def _decode(self, split: str) -> dict[str, np.ndarray]:
        examples = self.decode(split)
        known = len(self.class_names)
        if len(examples) and not 0 <= examples.labels.min() <= examples.labels.max() < known:
            raise DataError(f'{self.name}, split {split!r}: labels must be from 0 to {known - 1}; it has others')
        return {'images': examples.images, 'labels': examples.labels}
