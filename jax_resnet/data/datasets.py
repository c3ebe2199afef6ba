"""The data sets by name: all that is known of each before its data is there.

A new data set is an entry in DATASETS; where it is read in another way than these, also a function that opens it.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

from jax_resnet.data import digits, prepared
from jax_resnet.data.sources import Source
from jax_resnet.errors import DataError


@dataclass(frozen=True)
class DataSet:
    """A data set.

    Attributes:
        title: what a person calls it.
        image_shape: (height, width, channels).
        num_classes: of its labels.
        splits: by name, the number of examples.
        open: from its name, the folder of prepared data and the folder with its archive (or None) to its `Source`.
    """

    title: str
    image_shape: tuple[int, int, int]
    num_classes: int
    splits: Mapping[str, int]
    open: Callable[[str, Path, Path | None], Source]


def _open_digits(name: str, data_dir: Path, manual_dir: Path | None) -> Source:
    return Source(
        name=name,
        image_shape=DATASETS[name].image_shape,
        class_names=tuple('0123456789'),
        split_infos={s: SimpleNamespace(num_examples=n, shard_lengths=[n]) for s, n in DATASETS[name].splits.items()},
        decode=digits.decode,
        fingerprint='1',
    )


_CIFAR_SPLITS = {'train': 50_000, 'test': 10_000}

DATASETS: Mapping[str, DataSet] = {
    'cifar10': DataSet('CIFAR-10', (32, 32, 3), 10, _CIFAR_SPLITS, prepared.open_cifar),
    'cifar100': DataSet('CIFAR-100', (32, 32, 3), 100, _CIFAR_SPLITS, prepared.open_cifar),
    'digits': DataSet('digits', (16, 16, 1), 10, digits.SPLITS, _open_digits),
}
"""What `config.dataset.name` may be."""


def open_source(name: str, data_dir: str | None = None, manual_dir: str | None = None) -> Source:
    """The data set of that name; CIFAR is prepared first where it is not yet.

    Args:
        name: one of DATASETS.
        data_dir: the folder of prepared TFDS data; else what TFDS_DATA_DIR names, else ~/tensorflow_datasets.
        manual_dir: a folder with the data set's original archive, to prepare it from; else it is downloaded.

    Raises:
        DataError: an unknown name, or data that is neither there nor to be had.
    """
    if name not in DATASETS:
        raise DataError(f'dataset.name must be one of {", ".join(DATASETS)}; got {name!r}')
    folder = Path(data_dir or os.environ.get('TFDS_DATA_DIR') or '~/tensorflow_datasets').expanduser()
    return DATASETS[name].open(name, folder, None if manual_dir is None else Path(manual_dir).expanduser())
