"""Reads pictures that TFDS has prepared as ArrayRecord files. It does not need TensorFlow."""

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np

from jax_resnet.data import cache
from jax_resnet.data.pictures.imagenet import shown_names
from jax_resnet.data.sources import PictureSource
from jax_resnet.errors import DataError, reason

_log = logging.getLogger(__name__)

FORMAT = 'array_record'
"""TFDS's name of the format. A data set may have its files in several formats."""


@dataclass
class RecordPictures:
    """The pictures of a prepared split, in the order of its files.

    Attributes:
        folder: folder of the prepared data.
        split: name of the split.
        count: number of its pictures.
        image, label: names of the two features.
        classes: number of classes.
    """

    folder: Path
    split: str
    count: int
    image: str
    label: str
    classes: int
    _records: Any = field(default=None, repr=False)

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> tuple[bytes, int]:
        """Reads a picture. Any error means that it cannot be read, or has no label."""
        features = self._features(index)
        (encoded,), (label,) = features[self.image].bytes_list.value, features[self.label].int64_list.value
        if not 0 <= label < self.classes:  # TFDS marks unlabelled pictures by -1
            raise ValueError(f'its label is {label}, must be from 0 to {self.classes - 1}')
        return encoded, label

    def number(self, index: int) -> int:
        """The number of an example in the original files: 42 if its `id` is 'train_00042'."""
        return int(self._features(index)['id'].bytes_list.value[0].rsplit(b'_', 1)[1])

    def name(self, index: int) -> str:
        """Name of a picture, such as '.../imagenette/160px-v2/1.0.0, train, record 17'."""
        return f'{self.folder}, {self.split}, record {index}'

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, '_records': None}  # another process opens the files itself

    def _features(self, index: int) -> Any:
        import tensorflow_datasets as tfds
        from tensorflow_datasets.proto import tf_example_pb2

        if self._records is None:
            # Raw records are parsed here. TFDS would need TensorFlow, or four times as long without it.
            raw = tfds.decode.DeserializeMethod.RAW_BYTES
            builder = tfds.builder_from_directory(self.folder)
            self._records = builder.as_data_source(self.split, deserialize_method=raw, file_format=FORMAT)
        return tf_example_pb2.Example.FromString(self._records[index]).features.feature


def open_records(name: str, data_dir: Path, classes: Sequence[str] = ()) -> PictureSource:
    """Opens a data set that TFDS has prepared in `data_dir`.

    Args:
        name: name in TFDS, such as 'imagenet2012', 'imagenette' or 'imagenette/160px-v2'. If several configurations are
            prepared, the name must include one. If several versions are prepared, the last one is opened.
        data_dir: folder of prepared TFDS data.
        classes: the names of the classes, if they are known.

    Raises:
        DataError: the data is missing, is not in ArrayRecord files, or an example does not have one picture and one
            label; or the file of the class names is damaged, or has other names than `classes`.
    """
    folder = find(name, data_dir)
    if folder is None:
        raise DataError(
            f'no prepared {name} in {data_dir}: give the folder with the prepared data by '
            '--config.dataset.data_dir or TFDS_DATA_DIR, or a folder of pictures by --config.dataset.folder; evaluate '
            'takes both by --data'
        )
    import tensorflow_datasets as tfds

    try:
        info = tfds.builder_from_directory(folder).info
    except Exception as e:  # a missing or damaged dataset_info.json may raise any error
        raise DataError(f'{folder}: must be a folder of prepared TFDS data ({reason(e)})') from e
    if tfds.core.FileFormat(FORMAT) not in info.available_file_formats():
        raise DataError(
            f'{folder}: has {info.file_format.value} files, which only TensorFlow can read; convert them in an '
            'environment with TensorFlow: python -m tensorflow_datasets.scripts.convert_format '
            f'--dataset_version_dir={folder} --out_file_format={FORMAT}'
        )
    image, label = _feature_names(info, folder)
    names, sizes = shown_names(info.features[label].names), {s: each.num_examples for s, each in info.splits.items()}
    file = folder / f'{label}.labels.txt'
    lines = file.read_text('utf-8', errors='replace').split('\n') if file.exists() else []
    known = tuple(classes) or shown_names([line.strip() for line in lines if line.strip()])
    if not known:
        _log.warning('%s: has no names, so the classes have numbers', file)
    elif names != known:  # TFDS names classes by numbers if it cannot read their names
        is_now, needed = next(pair for pair in zip_longest(names, known) if pair[0] != pair[1])
        raise DataError(f'{file}: is missing or damaged; a class is {is_now!r} where it must be {needed!r}')
    splits = {split: RecordPictures(folder, split, n, image, label, len(names)) for split, n in sizes.items()}
    stats = [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in sorted(folder.iterdir())]
    listing = {
        split: np.array([f'{name} {size}'.encode() for name, size, _ in stats if f'-{split}.' in name], np.bytes_)
        for split in sizes
    }
    return PictureSource(name, names, sizes, splits, cache.digest(stats), listing)


def find(name: str, data_dir: Path) -> Path | None:
    """The folder of the last version of a prepared data set. None if there is no version.

    Raises:
        DataError: several configurations of the data set are prepared, and the name has none.
    """
    base = data_dir / name
    found = [folder for folder in (base, *sorted(base.glob('*/'))) if _versions(folder)]
    if len(found) > 1:
        names = ', '.join(f'tfds/{name}/{path.name}' for path in found)
        raise DataError(f'{base} has several configurations; config.dataset.name must be one of {names}')
    return _versions(found[0])[-1] if found else None


def _versions(folder: Path) -> list[Path]:
    """The folders of versions, such as 3.0.2, in a folder; the last version is the last one."""
    found = [path for path in folder.glob('*/') if re.fullmatch(r'\d+\.\d+\.\d+', path.name)]
    return sorted(found, key=lambda path: [*map(int, path.name.split('.'))])


def _feature_names(info: Any, folder: Path) -> tuple[str, str]:
    """Names of the feature with the picture and of the feature with the label."""
    import tensorflow_datasets as tfds

    wanted: list[str] = []
    for feature_type in (tfds.features.Image, tfds.features.ClassLabel):
        found = [name for name, feature in info.features.items() if isinstance(feature, feature_type)]
        preferred = [name for name in found if name in (info.supervised_keys or ())]
        if len(preferred or found) != 1:
            raise DataError(
                f'{folder}: must have one picture and one label per example; it has {", ".join(info.features)}'
            )
        wanted += preferred or found
    return wanted[0], wanted[1]
