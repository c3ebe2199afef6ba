"""Reads ImageNet (ILSVRC 2012) from its two tars without unpacking them.

The headers of the tars are read once to make an index with the position of each picture. The cache keeps the index.
"""

import hashlib
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path
from typing import cast

import numpy as np
from tqdm import tqdm

from jax_resnet import files
from jax_resnet.data import cache
from jax_resnet.data.pictures.classes import imagenet_classes, shown_names
from jax_resnet.data.pictures.members import BLOCK, File, Member, TarPictures, members, pictures
from jax_resnet.data.pictures.source import PictureSource
from jax_resnet.errors import DataError

_log = logging.getLogger(__name__)

PIECE = 2**22
"""Number of bytes that `verify` reads at once."""

_Scan = Callable[[tqdm], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Archive:
    """A published tar: its name, its size in bytes, its checksum, and its number of pictures."""

    file: str
    size: int
    sha256: str
    pictures: int


@dataclass(frozen=True)
class Archives:
    """The two tars of ImageNet.

    Attributes:
        train: a tar that contains a tar for each class, such as `n01440764.tar`; each of these contains pictures such
            as `n01440764_10026.JPEG`.
        validation: a tar of pictures `ILSVRC2012_val_00000001.JPEG` and so on.
        synsets: the classes, indexed by label.
        validation_labels: a file with one line for each validation picture: its synset. None means the file in TFDS.
    """

    train: Archive
    validation: Archive
    synsets: tuple[str, ...]
    validation_labels: Path | None


IMAGENET = Archives(
    train=Archive(
        file='ILSVRC2012_img_train.tar',
        size=147_897_477_120,
        sha256='b08200a27a8e34218a0e58fde36b0fe8f73bc377f4acea2d91602057c3ca45bb',
        pictures=1_281_167,
    ),
    validation=Archive(
        file='ILSVRC2012_img_val.tar',
        size=6_744_924_160,
        sha256='c7e06a6c0baccf06d8dbeb6577d71efff84673a5dbdd50633ab44f8ea0456ae0',
        pictures=50_000,
    ),
    synsets=tuple(imagenet_classes()),
    validation_labels=None,
)


def open_tars(name: str, manual_dir: Path, archives: Archives = IMAGENET) -> PictureSource:
    """Opens the splits 'train' and 'validation', each sorted by label and then by file name.

    The first call reads the headers of the tars, which takes minutes.

    Args:
        name: as in `config.dataset.name`.
        manual_dir: a folder with the two tars.
        archives: the expected tars.

    Raises:
        DataError: a tar or the file of labels is missing, damaged, or not the expected one.
    """
    train, validation = _find(manual_dir, archives)
    synsets, labels = archives.synsets, _validation_labels(archives)
    splits = {
        'train': _open(train, archives.train, synsets, labels, partial(_scan_train, train, synsets)),
        'validation': _open(
            validation, archives.validation, synsets, labels, partial(_scan_validation, validation, labels)
        ),
    }
    file_states = [(file.size, file.modified) for file in (train, validation)]
    return PictureSource.from_pictures(name, shown_names(synsets), splits, _digest(file_states, synsets, labels))


def verify(manual_dir: Path, archives: Archives = IMAGENET) -> Iterator[str]:
    """Reads both tars completely, which takes minutes, and yields a line for each correct tar.

    Raises:
        DataError: a tar is missing, or has the wrong size or SHA-256.
    """
    for file, archive in zip(_find(manual_dir, archives), (archives.train, archives.validation), strict=True):
        digest, path = hashlib.sha256(), files.shown(file.path)
        with tqdm(total=file.size, unit='B', unit_scale=True, desc=f'reading {archive.file}', disable=None) as bar:
            for begin in range(0, file.size, PIECE):
                try:
                    piece = file.read(begin, min(PIECE, file.size - begin))
                except OSError as e:
                    raise DataError(f'{path} cannot be read: {e.strerror}') from None
                digest.update(piece)
                bar.update(len(piece))
        if digest.hexdigest() != archive.sha256:
            raise DataError(f'{path} is damaged: its SHA-256 is {digest.hexdigest()}; it must be {archive.sha256}')
        yield f'{archive.file}: {file.size:,} bytes, correct SHA-256'


def _find(manual_dir: Path, archives: Archives) -> list[File]:
    """Finds the tars of training and validation, and checks their sizes."""
    found = []
    for archive in (archives.train, archives.validation):
        path = manual_dir / archive.file
        if not path.is_file():
            raise DataError(
                f'{files.shown(manual_dir)} has no file {archive.file}: config.dataset.manual_dir must name a folder '
                f'with {archives.train.file} and {archives.validation.file}, from image-net.org after registration'
            )
        file = File.from_path(path)
        if file.size != archive.size:
            raise DataError(f'{files.shown(path)} has {file.size:,} bytes; it must have {archive.size:,}')
        found.append(file)
    return found


def _validation_labels(archives: Archives) -> list[int]:
    """The labels of the validation pictures, in the order of the pictures' numbers."""
    path, count = archives.validation_labels, archives.validation.pictures
    if path is None:
        tfds = Path(str(cast(ModuleSpec, find_spec('tensorflow_datasets')).origin)).parent
        path = tfds / 'datasets' / 'imagenet2012' / 'validation_labels.txt'
    try:
        lines = path.read_text(encoding='ascii', errors='replace').split()
    except OSError as e:
        raise DataError(
            f'{files.shown(path)}, the labels of the validation pictures, cannot be read: {e.strerror}'
        ) from None
    by_synset = {synset: label for label, synset in enumerate(archives.synsets)}
    if unknown := [synset for synset in lines if synset not in by_synset]:
        raise DataError(f'{files.shown(path)}: {files.shown(unknown[0])} is not the synset of a class')
    if len(lines) != count:
        raise DataError(f'{files.shown(path)} has {len(lines):,} validation labels; it must have {count:,}')
    return [by_synset[synset] for synset in lines]


def _digest(*facts: object) -> str:
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:32]


def _open(file: File, archive: Archive, synsets: Sequence[str], labels: Sequence[int], scan: _Scan) -> TarPictures:
    """Opens the pictures of a tar with the index from the cache. If the cache has no index, scans the tar."""
    key = f'imagenet2012-index-{_digest(file, archive, synsets, labels)}'
    path = files.shown(file.path)

    def make() -> cache.Arrays:
        _log.info('reading the headers of %s; this is done only once', path)
        with tqdm(total=archive.pictures, desc=f'headers of {archive.file}', disable=None) as bar:
            places, label = scan(bar)
        if len(label) != archive.pictures:
            raise DataError(f'{path} has {len(label):,} pictures; it must have {archive.pictures:,}')
        offset, size = places.T
        return {'offsets': offset.copy(), 'sizes': size.astype(np.int32), 'labels': label.astype(np.int32)}

    index = cache.load(key, make)
    shape = (archive.pictures,)
    types = {'offsets': (np.int64, shape), 'sizes': (np.int32, shape), 'labels': (np.int32, shape)}
    if {name: (array.dtype, array.shape) for name, array in index.items()} == types:
        found = TarPictures(file, **index)
        are_inside = (found.offsets >= BLOCK) & (found.sizes > 0) & (found.sizes <= file.size - found.offsets)
        if (are_inside & (found.labels >= 0) & (found.labels < len(synsets))).all():
            return found
    cached = files.cache_folder() / f'{key}.safetensors'
    raise DataError(f'{files.shown(cached)} is not the index of {path}; delete it')


def _scan_train(file: File, synsets: Sequence[str], bar: tqdm) -> tuple[np.ndarray, np.ndarray]:
    """Positions of the training pictures, int64 [pictures, (offset, size)], and their labels."""
    path, classes = files.shown(file.path), {}
    for name, begin, size in members(file, 0, file.size, path):
        synset = name.removesuffix('.tar')
        if name == synset or synset not in synsets:
            raise DataError(f'{path} is damaged: its member {name!r} is not the tar of a class')
        if synset in classes:
            raise DataError(f'{path} is damaged: it has two members {name!r}')
        found = pictures(file, begin, begin + size, f'{path}: {name}', rf'{synset}_[0-9]+\.JPEG', bar)
        classes[synset] = _places(found)
    for synset in synsets:
        if synset not in classes:
            count = f'{len(classes):,} classes; it must have {len(synsets):,}'
            raise DataError(f'{path} has {count}: {synset}.tar is missing')
    ordered = [classes[synset] for synset in synsets]
    return np.concatenate(ordered), np.repeat(np.arange(len(ordered)), [len(places) for places in ordered])


def _scan_validation(file: File, labels: Sequence[int], bar: tqdm) -> tuple[np.ndarray, np.ndarray]:
    """Positions and labels of the validation pictures. `labels` are in the order of the pictures' numbers."""
    path = files.shown(file.path)
    found = []
    for member in pictures(file, 0, file.size, path, r'ILSVRC2012_val_[0-9]{8}\.JPEG', bar):
        number = int(member.name[-13:-5])
        if not 1 <= number <= len(labels):
            raise DataError(f'{path} is damaged: its member {member.name!r} has no label')
        found.append((labels[number - 1], member))
    found.sort()
    return _places([member for _, member in found]), np.array([label for label, _ in found])


def _places(found: Sequence[Member]) -> np.ndarray:
    return np.array([(member.offset, member.size) for member in found], np.int64).reshape(-1, 2)
