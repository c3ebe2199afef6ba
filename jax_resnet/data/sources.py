"""Data sets: their splits and classes, and their examples, decoded (`Source`) or encoded (`PictureSource`)."""

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import numpy as np

from jax_resnet.errors import DataError, reason
from jax_resnet.files import local

SLICE = re.compile(r'([\w-]+)(?:\[(?:(-?\d+)(%?))?:(?:(-?\d+)(%?))?\])?')
"""A part of a split: its name, and perhaps the first example and the one after the last, as numbers or percentages."""


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
        sizes: the number of examples of each split.
    """

    name: str
    class_names: tuple[str, ...]
    sizes: Mapping[str, int]

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

        The syntax is TFDS's: 'test', 'train[:45000]', 'train[-5000:]' or 'train[:10%]+train[90%:]'. A percentage is
        rounded to the nearest example.

        Raises:
            DataError: the split is unknown, or a slice is outside it or empty.
        """
        ranges = []
        for part in spec.split('+'):
            match = SLICE.fullmatch(part.strip())
            if match is None or match[1] not in self.sizes:
                known = ', '.join(f'{name} ({size})' for name, size in self.sizes.items())
                raise DataError(
                    f'split {spec!r} of {self.name}: {part.strip()!r} is unknown; it must be a split, or a slice, '
                    f"such as '{next(iter(self.sizes))}[:10%]'. The splits are {known}"
                )
            split, first, first_unit, last, last_unit = match.groups()
            size = self.sizes[split]
            start = 0 if first is None else _position(int(first), first_unit, size)
            stop = size if last is None else _position(int(last), last_unit, size)
            if not 0 <= min(start, stop) <= max(start, stop) <= size:
                raise DataError(f'split {spec!r} of {self.name}: {split} has only {size} examples')
            if start >= stop:
                raise DataError(f'split {spec!r} of {self.name} has a part without examples, from {start} to {stop}')
            ranges.append((split, start, stop))
        return ranges


def _position(number: int, unit: str, size: int) -> int:
    """An end of a slice, as a number of examples from the beginning."""
    position = round(number * size / 100) if unit else number
    return size + position if number < 0 else position


@dataclass(frozen=True)
class Examples:
    """Decoded examples: `images` uint8 [n, height, width, channels], `labels` int32 [n]."""

    images: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Source(Splits):
    """A data set that is decoded completely.

    Attributes:
        image_shape: (height, width, channels).
        load: takes the name of a split and returns its Examples.
    """

    image_shape: tuple[int, int, int]
    load: Callable[[str], Examples]

    def read(self, spec: str) -> Examples:
        """Examples of a split; `ranges` says how it is written.

        Raises:
            DataError: the split is unknown, a slice is outside it or empty, or files cannot be decoded.
        """
        parts = []
        for split, start, stop in self.ranges(spec):
            whole = self.load(split)
            parts.append((whole.images[start:stop], whole.labels[start:stop]))
        images, labels = (np.concatenate(part) if len(part) > 1 else part[0] for part in zip(*parts, strict=True))
        return Examples(images, labels)


def checked(images: np.ndarray, labels: np.ndarray, shape: tuple[int, ...], classes: int) -> Examples:
    """The examples of arrays that a person brings.

    Args:
        images: uint8 of this shape, [n, height, width, channels].
        labels: integers [n], each less than `classes`.

    Raises:
        TypeError: they are not.
    """
    if (images.dtype, images.shape) != (np.uint8, shape):
        raise TypeError(f'images must be uint8 {list(shape)}; they are {images.dtype} {list(images.shape)}')
    if labels.dtype.kind not in 'iu' or labels.shape != shape[:1]:
        raise TypeError(f'labels must be integers [{shape[0]}]; they are {labels.dtype} {list(labels.shape)}')
    if labels.min() < 0 or labels.max() >= classes:
        raise TypeError(f'labels must be from 0 to {classes - 1}; they are from {labels.min()} to {labels.max()}')
    return Examples(images, labels.astype(np.int32))


def from_files(
    images: str | Path, labels: str | Path, image_shape: tuple[int, int, int], classes: Sequence[str]
) -> Source:
    """Opens another test set of known classes: two .npy files, as CIFAR-10.1 and CIFAR-10-C are distributed.

    Args:
        images: the file of the images, uint8 [n, *image_shape].
        labels: the file of their labels, integers [n].
        image_shape: (height, width, channels) of the images that the network takes.
        classes: the names of its classes.

    Returns:
        A source with the split 'test'.

    Raises:
        DataError: a file cannot be read, or has other shapes, or a label is no class.
    """
    arrays = []
    for path in (images, labels):
        try:
            with local(path).open('rb') as file:
                arrays.append(np.lib.format.read_array(file, allow_pickle=False))
        except (OSError, ValueError) as e:
            raise DataError(f'{path}: cannot be read as .npy ({reason(e)})') from None
    try:
        pixels, numbers = arrays
        examples = checked(pixels, numbers, (max((1, *pixels.shape[:1])), *image_shape), len(classes))
    except TypeError as e:
        raise DataError(f'{images}, {labels}: {e}') from None
    return Source(Path(images).name, tuple(classes), {'test': len(examples)}, image_shape, lambda _: examples)


class Pictures(Protocol):
    """The encoded pictures of a split, by index. All threads may read them.

    It can be pickled, so that other processes can read it too.
    """

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> tuple[bytes, int]:
        """Returns the bytes of a JPEG, PNG or WebP file, and its label. Any error means that it cannot be read."""

    def name(self, index: int) -> str:
        """Name of a picture in messages: its file, or the archive and the member."""


@dataclass(frozen=True)
class PictureSource(Splits):
    """A data set of pictures of any size, which are decoded when they are needed.

    Attributes:
        pictures: pictures of each split, by the split's name.
        fingerprint: differs for data sets whose pictures or order may differ.
        listing: for each split what a run records of its files, b'name size in bytes' each, in any order.
        present: the labels of the data's classes, if they are only some of `class_names`; see `with_classes`.
    """

    pictures: Mapping[str, Pictures]
    fingerprint: str
    listing: Mapping[str, np.ndarray] = field(default_factory=dict)
    present: tuple[int, ...] = ()

    def read(self, spec: str) -> 'Parts':
        """The pictures of a split; `ranges` says how it is written.

        Raises:
            DataError: the split is unknown, a slice is outside it, or no pictures remain.
        """
        return Parts([(self.pictures[split], start, stop) for split, start, stop in self.ranges(spec)])


@dataclass(frozen=True)
class Parts:
    """Slices of pictures, one after another.

    Attributes:
        parts: of each slice the pictures, the first index, and the index after the last.
        new_labels: for each label of the pictures, that of a trained network; () keeps them.
    """

    parts: Sequence[tuple[Pictures, int, int]]
    new_labels: tuple[int, ...] = ()

    def __len__(self) -> int:
        return sum(stop - start for _, start, stop in self.parts)

    def __getitem__(self, index: int) -> tuple[bytes, int]:
        pictures, position = self._find(index)
        encoded, label = pictures[position]
        return encoded, self.new_labels[label] if self.new_labels else label

    def name(self, index: int) -> str:
        """Name of a picture in messages."""
        pictures, position = self._find(index)
        return pictures.name(position)

    @property
    def labels(self) -> np.ndarray | None:
        """The labels of all pictures, int32; None if they are not known before the pictures are read."""
        found = [(getattr(pictures, 'labels', None), start, stop) for pictures, start, stop in self.parts]
        known = [labels[start:stop] for labels, start, stop in found if labels is not None]
        if len(known) < len(found):
            return None
        labels = np.concatenate(known)
        return np.array(self.new_labels, np.int32)[labels] if self.new_labels else labels

    def _find(self, index: int) -> tuple[Pictures, int]:
        for pictures, start, stop in self.parts:
            if 0 <= index < stop - start:
                return pictures, start + index
            index -= stop - start
        raise IndexError(index)


def with_classes(source: Source | PictureSource, class_names: Sequence[str]) -> Source | PictureSource:
    """The data with the labels of a trained network, which may have more classes, such as the 1,000 of ImageNet.

    Classes are found by their names. See `folded`: golden_retriever is 'Golden retriever'.

    Raises:
        DataError: the network does not have all classes of the data.
    """
    if source.class_names == tuple(class_names):
        return source
    known = {name: label for convert in (folded, str) for label, name in enumerate(map(convert, class_names))}
    labels = tuple(known.get(name, known.get(folded(name), -1)) for name in source.class_names)
    if isinstance(source, Source):
        raise DataError(f'{source.name}: {other_classes(class_names, source.class_names)}')
    if -1 in labels:
        unknown = source.class_names[labels.index(-1)]
        raise DataError(f'{source.name}: the network has no class {unknown!r}; classes are found by their names')
    pictures = {split: Parts([(each, 0, len(each))], labels) for split, each in source.pictures.items()}
    present = labels if len({*labels}) < len(class_names) else ()
    return replace(source, class_names=tuple(class_names), pictures=pictures, present=present)


def folded(name: str) -> str:
    """The name of a class for comparisons: lower case, without '_', and with composed accents."""
    return unicodedata.normalize('NFC', name).casefold().replace('_', ' ')
