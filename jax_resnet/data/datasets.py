"""The table of data sets, with all facts that are known before their data is read.

To add a data set, add an entry to DATASETS, or give the import path of an own DataSet. If no existing function can open
it, also write a function that does. Other pictures that TFDS has prepared need no entry. Their name is `tfds/NAME`, or
`tfds/NAME/CONFIGURATION` if several configurations are prepared.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from jax_resnet.config.fields import Config, Dataset
from jax_resnet.config.loading import change
from jax_resnet.data.cifar import CIFAR, SIZES, open_cifar
from jax_resnet.data.pictures import records
from jax_resnet.data.pictures.folder import DRAW, open_folder
from jax_resnet.data.pictures.imagenet import ARCHIVES, IMAGENET_CLASSES, open_tars
from jax_resnet.data.sources import Examples, PictureSource, Source, Splits, checked
from jax_resnet.errors import ConfigError, DataError
from jax_resnet.files import local
from jax_resnet.own_parts import choose, errors, is_path

TFDS = 'tfds/'
"""Prefix of the names of data sets that TFDS has prepared."""


@dataclass(frozen=True)
class DataSet:
    """A data set.

    Attributes:
        title: name for people.
        image_shape: (height, width, channels); None means pictures of any size, which are streamed.
        class_names: names of its classes; empty if unknown before the data is read.
        splits: number of examples of each split; empty if unknown before the data is read.
        open: takes its name, the folder of prepared data, and the folder with its archive (or None); returns its
            source.
    """

    title: str
    image_shape: tuple[int, int, int] | None
    class_names: tuple[str, ...]
    splits: Mapping[str, int]
    open: Callable[[str, Path, Path | None], Source | PictureSource]


def arrays(load: Callable[[str], Examples]) -> Callable[[str, Path, Path | None], Source]:
    """The `open` of a data set whose splits a function makes or reads. Its arrays must be as its DataSet says."""

    def open_arrays(name: str, data_dir: Path, manual_dir: Path | None) -> Source:
        known = find(name)
        assert known.image_shape is not None
        shape = known.image_shape

        def load_checked(split: str) -> Examples:
            with errors(f'config.dataset.name: {split}', name):
                found = load(split)
                images, labels = np.asarray(found.images), np.asarray(found.labels)
                return checked(images, labels, (known.splits[split], *shape), len(known.class_names))

        return Source(name, known.class_names, known.splits, shape, load_checked)

    return open_arrays


DIGITS = {'train': 1_437, 'test': 360}


def _digits(split: str) -> Examples:
    """Reads a split of the handwritten digits of UCI, which lie in this package: no download is needed.

    `digits.npz` has the 1,797 images of the test set of "Optical Recognition of Handwritten Digits" by E. Alpaydin and
    C. Kaynak (UCI Machine Learning Repository, https://doi.org/10.24432/C50P49, licence CC BY 4.0), 8x8 pixels with 17
    grey levels. Their order here is a draw, stratified by digit: the first 1,437 are for training, the others for the
    test. The images are enlarged to 16x16 by repeating pixels, and have grey levels from 0 to 255.
    """
    chosen = slice(0, DIGITS['train']) if split == 'train' else slice(DIGITS['train'], None)
    with np.load(Path(__file__).with_name('digits.npz'), allow_pickle=False) as file:
        images, labels = file['images'][chosen], file['labels'][chosen]
    images = np.round(images * (255 / 16)).astype(np.uint8).repeat(2, axis=1).repeat(2, axis=2)
    return Examples(images[..., None], labels.astype(np.int32))


def _open_imagenet(name: str, data_dir: Path, manual_dir: Path | None) -> PictureSource:
    return open_tars(name, manual_dir) if manual_dir is not None else _open_records(name, data_dir, None)


def _open_records(name: str, data_dir: Path, manual_dir: Path | None) -> PictureSource:
    if manual_dir is not None:
        raise ConfigError(
            f'config.dataset.manual_dir={str(manual_dir)!r}: must be empty: {name} is read from data prepared by TFDS'
        )
    name = name.removeprefix(TFDS)
    known = DATASETS.get(name.partition('/')[0])
    return records.open_records(name, data_dir, known.class_names if known else ())


def _require_folder(name: str, data_dir: Path, manual_dir: Path | None) -> PictureSource:
    raise ConfigError(
        f'config.dataset.folder: must be given for {name}: a folder with a folder of pictures for each class'
    )


_WORDS = tuple(IMAGENET_CLASSES.values())
_IMAGENET_SIZES = {split: archive.pictures for split, archive in ARCHIVES.items()}

DATASETS: dict[str, DataSet] = {
    'cifar10': DataSet('CIFAR-10', (32, 32, 3), CIFAR['cifar10'].class_names, SIZES, open_cifar),
    'cifar100': DataSet('CIFAR-100', (32, 32, 3), CIFAR['cifar100'].class_names, SIZES, open_cifar),
    'digits': DataSet('digits', (16, 16, 1), tuple('0123456789'), DIGITS, arrays(_digits)),
    'imagenet2012': DataSet('ImageNet', None, _WORDS, _IMAGENET_SIZES, _open_imagenet),
    'imagenette': DataSet(
        'Imagenette',
        None,
        tuple(_WORDS[label] for label in (0, 217, 482, 491, 497, 566, 569, 571, 574, 701)),
        {'train': 9_469, 'validation': 3_925},
        _open_records,
    ),
    'folder': DataSet('a folder of pictures', None, (), {}, _require_folder),
}
"""Valid values of `config.dataset.name`, in addition to `tfds/...`."""


def find(name: str) -> DataSet:
    """Returns the entry of a data set. Raises ConfigError for an unknown name."""
    if name.startswith(TFDS) and len(name) > len(TFDS):
        return DataSet(name, None, (), {}, _open_records)
    if name not in DATASETS and not is_path(name):
        known = f'one of {", ".join(DATASETS)}, {TFDS}NAME, or package.module:name'
        raise ConfigError(f'config.dataset.name={name!r}: must be {known}')
    return choose('config.dataset.name', name, DATASETS)


def image_shape(dataset: Dataset) -> tuple[int, int, int]:
    """(height, width, channels) of the images in evaluation, for a config's group `dataset`."""
    size = dataset.test_crop or dataset.crop
    return find(dataset.name).image_shape or (size, size, 3)


def count(dataset: Dataset) -> int:
    """The number of training examples of a config's group `dataset`; 0 if it is not known before the data is read."""
    sizes = find(dataset.name).splits
    return Splits(dataset.name, (), sizes).count(dataset.train) if sizes else 0


def streams(name: str) -> bool:
    """Whether a data set has pictures of any size, which are streamed."""
    return find(name).image_shape is None


def without_data(dataset: Dataset) -> PictureSource | None:
    """A source without pictures, if a config's normalization and class names are known without data; else None."""
    known = find(dataset.name)
    needs_data = dataset.folder is not None or dataset.normalization == 'pixel_mean'
    if known.image_shape or not known.class_names or needs_data:
        return None
    return PictureSource(dataset.name, known.class_names, known.splits, pictures={}, fingerprint='')


def located(config: Config, data: str | None) -> Config:
    """A config with other data. Its splits and preprocessing stay.

    Args:
        config: the config.
        data: the name of a data set; or a folder. If the data set of the config has pictures, the folder may have
            ImageNet's tars, the data as prepared by TFDS, or folders of pictures; else it has prepared data. None keeps
            the data of the config.

    Raises:
        ConfigError: the data set of the config is not read from a folder.
    """
    dataset = config.dataset
    if not data:
        return config
    elsewhere = {'dataset.folder': None, 'dataset.manual_dir': None, 'dataset.data_dir': None}
    if data in DATASETS or data.startswith(TFDS) or is_path(data):
        return change(config, elsewhere | {'dataset.name': data})
    if not streams(dataset.name):  # CIFAR reads `manual_dir` only if the folder has no prepared data
        if dataset.name in DATASETS and dataset.name not in CIFAR:
            raise ConfigError(
                f'--data={data}: must be the name of a data set; {dataset.name} is not read from a folder'
            )
        return change(config, {'dataset.data_dir': data})
    path = local(data)
    tars = [(path / archive.file).is_file() for archive in ARCHIVES.values()]
    if all(tars) or (any(tars) and not (path / 'train').is_dir()):  # one can be left from unpacking
        return change(config, elsewhere | {'dataset.name': 'imagenet2012', 'dataset.manual_dir': data})
    if dataset.name != 'folder' and (path / dataset.name.removeprefix(TFDS)).is_dir():
        return change(config, elsewhere | {'dataset.data_dir': data})
    return change(config, elsewhere | {'dataset.name': 'folder', 'dataset.folder': data})


def open_source(
    name: str,
    data_dir: str | None = None,
    manual_dir: str | None = None,
    folder: str | None = None,
    validation_fraction: float = DRAW[0],
    split_seed: int = DRAW[1],
) -> Source | PictureSource:
    """Opens a data set.

    Args:
        name: one of DATASETS, or `tfds/NAME`.
        data_dir: folder of prepared TFDS data; by default TFDS_DATA_DIR, or else ~/tensorflow_datasets. A given folder
            must have the data, even if the cache has it.
        manual_dir: folder with the data set's original archive. With None, CIFAR is downloaded if it is not prepared.
        folder: folder of pictures to read instead of the data set's own.
        validation_fraction, split_seed: for a folder without a validation split; see `pictures.folder`.

    Raises:
        ConfigError: the name is unknown, or this data set cannot be read from a given folder.
        DataError: the data is missing, or is damaged.
    """
    known = find(name)
    if folder is not None:
        for other, value in (('manual_dir', manual_dir), ('data_dir', data_dir)):
            if value is not None:
                raise ConfigError(f'config.dataset.{other}={value!r}: must be empty with config.dataset.folder')
        if not folder:
            raise ConfigError("config.dataset.folder='': must name a folder of pictures")
        if known.image_shape is not None:
            raise ConfigError(
                f'config.dataset.folder={folder!r}: must be empty: {name} is not read from a folder of pictures'
            )
        return open_folder(name, local(folder), validation_fraction, split_seed)
    default = Path(os.environ.get('TFDS_DATA_DIR') or '~/tensorflow_datasets').expanduser()
    prepared_in = local(data_dir) if data_dir else default
    if name in CIFAR and data_dir and manual_dir is None and records.find(name, prepared_in) is None:
        raise DataError(f'no prepared {name} in {prepared_in} (dataset.data_dir)')  # even if it is cached
    with errors('config.dataset.name', name):
        return known.open(name, prepared_in, None if manual_dir is None else local(manual_dir))
