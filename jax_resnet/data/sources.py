"""Where examples come from: CIFAR-10 and CIFAR-100 as TFDS prepares them, and the embedded `digits`.

A source knows its splits, image shape and class names before anything is decoded; `read` decodes a
split once, keeps the arrays in a cache on disk, and slices them. A new data set is
a new function that returns a `Source`, and a line in SOURCES.
"""

import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from jax_resnet.data import cache, cifar
from jax_resnet.errors import DataError

_log = logging.getLogger(__name__)


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


def open_source(name: str, data_dir: str | None = None, manual_dir: str | None = None) -> Source:
    """The data set of that name; CIFAR is prepared first where it is not yet.

    Args:
        name: one of SOURCES.
        data_dir: the folder of prepared TFDS data; else what TFDS_DATA_DIR names, else ~/tensorflow_datasets.
        manual_dir: a folder with the data set's original archive, to prepare it from; else it is downloaded.

    Raises:
        DataError: an unknown name, or data that is neither there nor to be had.
    """
    if name not in SOURCES:
        raise DataError(f'dataset.name must be one of {", ".join(SOURCES)}; got {name!r}')
    folder = Path(data_dir or os.environ.get('TFDS_DATA_DIR') or '~/tensorflow_datasets').expanduser()
    return SOURCES[name](name, folder, None if manual_dir is None else Path(manual_dir).expanduser())


def _open_digits(name: str, data_dir: Path, manual_dir: Path | None) -> Source:
    sizes = {'train': 1437, 'test': 360}
    return Source(
        name=name,
        image_shape=(16, 16, 1),
        class_names=tuple('0123456789'),
        split_infos={s: SimpleNamespace(num_examples=n, shard_lengths=[n]) for s, n in sizes.items()},
        decode=_decode_digits,
        fingerprint='1',
    )


def _decode_digits(split: str) -> Examples:
    """scikit-learn's 1,797 images of handwritten digits, 8x8 with 17 grey levels, each pixel made 2x2."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    digits = load_digits()
    images = np.round(digits.images * (255 / 16)).astype(np.uint8).repeat(2, axis=1).repeat(2, axis=2)
    train, test = train_test_split(np.arange(len(images)), test_size=360, stratify=digits.target, random_state=0)
    chosen = {'train': train, 'test': test}[split]
    return Examples(images[chosen, ..., None], digits.target[chosen].astype(np.int32))


def _open_cifar(name: str, data_dir: Path, manual_dir: Path | None) -> Source:
    import tensorflow_datasets as tfds
    from tensorflow_datasets.core.utils.version import list_all_versions

    # TFDS itself would look for what is missing on the network, and hang without one.
    if not list_all_versions(data_dir / name):
        cifar.prepare(name, data_dir, manual_dir)
    folder = data_dir / name / str(list_all_versions(data_dir / name)[-1])
    try:
        builder = tfds.builder_from_directory(folder)
    except Exception as e:  # whatever a missing or damaged dataset_info.json makes it raise
        raise DataError(f'{folder} is no prepared data ({" ".join(repr(e).split())})') from e
    features = builder.info.features
    files = sorted(p for p in folder.iterdir() if p.is_file())
    stats = [(p.name, p.stat().st_size, p.stat().st_mtime_ns) for p in files]
    return Source(
        name=name,
        image_shape=features['image'].shape,
        class_names=tuple(features['label'].names),
        split_infos=builder.info.splits,
        decode=lambda split: _decode_tfds(builder, split),
        fingerprint=sha256(repr(stats).encode()).hexdigest()[:16],
    )


def _decode_tfds(builder: Any, split: str) -> Examples:
    _log.info('decoding %s, split %s, once', builder.data_path, split)
    try:
        records = builder.as_data_source(split)
        images = np.empty((len(records), *builder.info.features['image'].shape), np.uint8)
        labels = np.empty(len(records), np.int32)
        for i, record in enumerate(records):
            images[i], labels[i] = record['image'], record['label']
    except Exception as e:  # whatever the record or image decoder raises for a damaged file
        raise DataError(
            f'{builder.data_path}, split {split!r}, cannot be decoded ({" ".join(repr(e).split())}); it must be '
            "whole, and prepared with file_format='array_record'"
        ) from e
    return Examples(images, labels)


SOURCES: dict[str, Callable[[str, Path, Path | None], Source]] = {
    'cifar10': _open_cifar,
    'cifar100': _open_cifar,
    'digits': _open_digits,
}
"""What `config.dataset.name` may be."""

SHAPES: dict[str, tuple[tuple[int, int, int], int]] = {
    'cifar10': ((32, 32, 3), 10),
    'cifar100': ((32, 32, 3), 100),
    'digits': ((16, 16, 1), 10),
}
"""(image shape, number of classes) of each data set, known before its data is there."""
