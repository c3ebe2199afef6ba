"""Reads data that TFDS has prepared, without TensorFlow. If CIFAR is not prepared yet, prepares it first."""

import logging
from collections.abc import Mapping, Sequence
from functools import partial
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import numpy as np

from jax_resnet import files
from jax_resnet.data import cache, cifar
from jax_resnet.data.sources import Examples, Source
from jax_resnet.errors import DataError

_log = logging.getLogger(__name__)

ARRAYS = 'arrays'
"""The fingerprint of a data set that was saved as decoded arrays."""

DESCRIPTION = 'arrays.json'
"""The name of the file that describes such a data set, beside its arrays."""


class _Description(msgspec.Struct):
    image_shape: tuple[int, int, int]
    class_names: tuple[str, ...]
    splits: dict[str, int]


def open_cifar(name: str, data_dir: Path, manual_dir: Path | None) -> Source:
    """Opens CIFAR-10 or CIFAR-100 in `data_dir`. If missing, prepares it from `manual_dir`, or from a download.

    If `data_dir` has the arrays of `save_arrays`, reads them, and needs no TFDS.

    Raises:
        DataError: the data is missing and cannot be downloaded, or is damaged.
    """
    if (data_dir / name / DESCRIPTION).is_file():
        return _open_arrays(name, data_dir / name)

    from tensorflow_datasets.core.utils.version import list_all_versions

    # TFDS itself would search the network for missing data, and hang without a network.
    if not list_all_versions(data_dir / name):
        cifar.prepare(name, data_dir, manual_dir)
    folder = data_dir / name / str(list_all_versions(data_dir / name)[-1])
    builder, fingerprint = open_builder(folder)
    features = builder.info.features
    return Source(
        name=name,
        image_shape=features['image'].shape,
        class_names=tuple(features['label'].names),
        split_infos=builder.info.splits,
        decode=lambda split: _decode(builder, split),
        fingerprint=fingerprint,
    )


def save_arrays(name: str, class_names: Sequence[str], splits: Mapping[str, Examples], data_dir: Path) -> None:
    """Writes a data set to `data_dir` as decoded arrays, for machines without TFDS. `open_cifar` reads them there."""
    folder = data_dir / name
    folder.mkdir(parents=True, exist_ok=True)
    for split, examples in splits.items():
        cache.load(f'{name}-{split}-{ARRAYS}', partial(dict, vars(examples)), folder)
    shape = next(iter(splits.values())).images.shape[1:]
    description = _Description(shape, tuple(class_names), {split: len(each) for split, each in splits.items()})
    files.write(folder / DESCRIPTION, msgspec.json.encode(description))


def _open_arrays(name: str, folder: Path) -> Source:
    def missing(split: str) -> Examples:
        raise DataError(f'{folder}: the arrays of split {split!r} are missing or damaged')

    try:
        about = msgspec.json.decode((folder / DESCRIPTION).read_bytes(), type=_Description)
    except (OSError, msgspec.MsgspecError) as e:
        raise DataError(f'{folder / DESCRIPTION}: {e}') from None
    sizes = {split: SimpleNamespace(num_examples=n, shard_lengths=[n]) for split, n in about.splits.items()}
    return Source(name, about.class_names, sizes, about.image_shape, missing, ARRAYS, folder)


def open_builder(folder: Path) -> tuple[Any, str]:
    """Returns TFDS's builder of prepared data, and a digest that differs if the files may differ.

    Raises:
        DataError: the folder does not contain prepared data.
    """
    import tensorflow_datasets as tfds

    try:
        builder = tfds.builder_from_directory(folder)
    except Exception as e:  # a missing or damaged dataset_info.json may raise any error
        raise DataError(f'{folder}: must be a folder of prepared TFDS data ({" ".join(repr(e).split())})') from e
    files = sorted(path for path in folder.iterdir() if path.is_file())
    stats = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    return builder, sha256(repr(stats).encode()).hexdigest()[:16]


def _decode(builder: Any, split: str) -> Examples:
    _log.info('decoding %s, split %s; this is done only once', builder.data_path, split)
    try:
        records = builder.as_data_source(split)
        images = np.empty((len(records), *builder.info.features['image'].shape), np.uint8)
        labels = np.empty(len(records), np.int32)
        for i, record in enumerate(records):
            images[i], labels[i] = record['image'], record['label']
    except Exception as e:  # for a damaged file, the decoders may raise any error
        raise DataError(
            f'{builder.data_path}, split {split!r}, cannot be decoded ({" ".join(repr(e).split())}); it must be '
            "complete, and prepared with file_format='array_record'"
        ) from e
    return Examples(images, labels)
