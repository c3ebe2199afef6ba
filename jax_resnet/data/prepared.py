"""Reads data that TFDS has prepared, without TensorFlow. If CIFAR is not prepared yet, prepares it first."""

import logging
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from jax_resnet.data import cifar
from jax_resnet.data.sources import Examples, Source
from jax_resnet.errors import DataError

_log = logging.getLogger(__name__)


def open_cifar(name: str, data_dir: Path, manual_dir: Path | None) -> Source:
    """Opens CIFAR-10 or CIFAR-100 in `data_dir`. If missing, prepares it from `manual_dir`, or from a download.

    Raises:
        DataError: the data is missing and cannot be downloaded, or is damaged.
    """
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
