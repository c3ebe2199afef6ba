"""Reads pictures that TFDS has prepared as ArrayRecord files. It does not need TensorFlow."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jax_resnet.data.pictures.classes import shown_names
from jax_resnet.data.pictures.source import Picture, PictureSource
from jax_resnet.data.prepared import open_builder
from jax_resnet.errors import DataError

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

    def __getitem__(self, index: int) -> Picture:
        """Reads a picture. Raises DataError if it cannot be read, or has no label."""
        from tensorflow_datasets.proto import tf_example_pb2

        try:
            if self._records is None:
                self._records = self._open()
            features = tf_example_pb2.Example.FromString(self._records[index]).features.feature
            (encoded,), (label,) = features[self.image].bytes_list.value, features[self.label].int64_list.value
        except Exception as e:  # a damaged file may make the reader raise any error
            raise DataError(f'{self.name(index)}: cannot be read ({" ".join(repr(e).split())})') from e
        if not 0 <= label < self.classes:  # TFDS marks unlabelled pictures by -1
            raise DataError(f'{self.name(index)}: has no label: it must be from 0 to {self.classes - 1}; it is {label}')
        return Picture(encoded, label)

    def name(self, index: int) -> str:
        """Name of a picture, such as '.../imagenette/160px-v2/1.0.0, train, record 17'."""
        return f'{self.folder}, {self.split}, record {index}'

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, '_records': None}  # another process opens the files itself

    def _open(self) -> Any:
        import tensorflow_datasets as tfds

        # Reads raw records; `__getitem__` parses them. TFDS would need TensorFlow, or four times as long without it.
        raw = tfds.decode.DeserializeMethod.RAW_BYTES
        builder = tfds.builder_from_directory(self.folder)
        return builder.as_data_source(self.split, deserialize_method=raw, file_format=FORMAT)


def open_records(name: str, data_dir: Path) -> PictureSource:
    """Opens a data set that TFDS has prepared in `data_dir`.

    Args:
        name: name in TFDS, such as 'imagenet2012', 'imagenette' or 'imagenette/160px-v2'. If several configurations are
            prepared, the name must include one. If several versions are prepared, the last one is opened.
        data_dir: folder of prepared TFDS data.

    Raises:
        DataError: the data is missing, is not in ArrayRecord files, or an example does not have one picture and one
            label.
    """
    import tensorflow_datasets as tfds

    folder = _find(name, data_dir)
    builder, fingerprint = open_builder(folder)
    info = builder.info
    if tfds.core.FileFormat(FORMAT) not in info.available_file_formats():
        raise DataError(
            f'{folder}: has {info.file_format.value} files, which only TensorFlow can read; convert them in an '
            'environment with TensorFlow: python -m tensorflow_datasets.scripts.convert_format '
            f'--dataset_version_dir={folder} --out_file_format={FORMAT}'
        )
    image, label = _features(info, folder)
    names = shown_names(info.features[label].names)
    splits = {
        split: RecordPictures(folder, split, split_info.num_examples, image, label, len(names))
        for split, split_info in info.splits.items()
    }
    return PictureSource.from_pictures(name, names, splits, fingerprint)


def _find(name: str, data_dir: Path) -> Path:
    """The folder of the last version of a data set."""
    from tensorflow_datasets.core.utils.version import list_all_versions

    base = data_dir / name
    found = [base] if base.is_dir() and list_all_versions(base) else []
    if not found and base.is_dir():
        found = sorted(path for path in base.iterdir() if path.is_dir() and list_all_versions(path))
    if not found:
        raise DataError(
            f'no prepared {name} in {data_dir}: give the folder with the prepared data by '
            '--config.dataset.data_dir or TFDS_DATA_DIR, or a folder of pictures by --config.dataset.folder'
        )
    if len(found) > 1:
        names = ', '.join(f'tfds/{name}/{path.name}' for path in found)
        raise DataError(f'{base} has several configurations; config.dataset.name must be one of {names}')
    return found[0] / str(list_all_versions(found[0])[-1])


def _features(info: Any, folder: Path) -> tuple[str, str]:
    """Names of the feature with the picture and of the feature with the label."""
    import tensorflow_datasets as tfds

    wanted: list[str] = []
    for kind in (tfds.features.Image, tfds.features.ClassLabel):
        found = [name for name, feature in info.features.items() if isinstance(feature, kind)]
        preferred = [name for name in found if name in (info.supervised_keys or ())]
        if len(preferred or found) != 1:
            raise DataError(
                f'{folder}: must have one picture and one label per example; it has {", ".join(info.features)}'
            )
        wanted += preferred or found
    return wanted[0], wanted[1]
