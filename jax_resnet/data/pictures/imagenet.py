"""ImageNet (ILSVRC 2012): its classes, and its two tars, which are read without unpacking them.

The headers of the tars are read once to make an index with the position of each picture. The cache keeps the index.
"""

import hashlib
import logging
import os
import re
import tarfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from types import MappingProxyType
from typing import IO, cast

import numpy as np
from tqdm import tqdm

from jax_resnet import files
from jax_resnet.data import cache as array_cache
from jax_resnet.data.sources import PictureSource
from jax_resnet.errors import DataError

_log = logging.getLogger(__name__)

PIECE = 2**22
"""Number of bytes that `verify` reads at once."""


@cache
def imagenet_classes() -> MappingProxyType[str, str]:
    """The names of ImageNet's 1,000 classes by synset, such as n01440764, in the order of the labels."""
    lines = Path(__file__).with_name('imagenet_classes.txt').read_text(encoding='utf-8').splitlines()
    return MappingProxyType(dict(line.split(' ', 1) for line in lines))


def shown_names(names: Sequence[str]) -> tuple[str, ...]:
    """Class names for people. If all names are ImageNet's synsets, returns their words; else returns them unchanged."""
    words = imagenet_classes()
    return tuple(words[name] for name in names) if all(name in words for name in names) else tuple(names)


def validation_labels() -> np.ndarray:
    """The labels of the 50,000 validation pictures, in the order of their numbers: int32.

    The file was made from the labels in TFDS (Apache 2.0), which are those of ILSVRC's development kit.
    """
    with np.load(Path(__file__).with_name('imagenet_validation.npz'), allow_pickle=False) as file:
        return file['labels'].astype(np.int32)  # type: ignore[no-any-return]


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
        validation_labels: returns the labels of the validation pictures, by number.
    """

    train: Archive
    validation: Archive
    synsets: Callable[[], Sequence[str]]
    validation_labels: Callable[[], np.ndarray]


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
    synsets=lambda: tuple(imagenet_classes()),
    validation_labels=validation_labels,
)


@dataclass(frozen=True, eq=False)
class TarPictures:
    """The pictures of a tar, by index.

    Attributes:
        path: the tar.
        state: its size in bytes and the time of its last change in ns, when its index was made.
        offsets: int64 [pictures], the position of each picture's first byte in the file.
        sizes: int32 [pictures], in bytes.
        labels: int32 [pictures].
    """

    path: Path
    state: tuple[int, int]
    offsets: np.ndarray
    sizes: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[bytes, int]:
        """Reads a picture. Raises DataError, which names it, if it cannot be read."""
        try:
            encoded = self._read(int(self.offsets[index]), int(self.sizes[index]))
        except OSError as e:
            raise DataError(f'{self.name(index)} cannot be read: {e.strerror}') from None
        return encoded, int(self.labels[index])

    def name(self, index: int) -> str:
        """Name of a picture in messages: the tar and the member. If the header cannot be read, its byte offset."""
        offset, size = int(self.offsets[index]), tarfile.BLOCKSIZE
        try:
            header = self._read(offset - size, size)
            member = files.shown(tarfile.TarInfo.frombuf(header, 'utf-8', 'backslashreplace').name)
        except (OSError, tarfile.HeaderError):
            member = f'the picture at byte {offset:,}'
        return f'{self.path.name}: {member}'

    def _read(self, offset: int, size: int) -> bytes:
        descriptor = files.open_file(self.path, os.O_RDONLY)  # for each picture, so threads and processes share nothing
        try:
            status = os.fstat(descriptor)
            if (status.st_size, status.st_mtime_ns) != self.state:
                raise OSError(0, 'the file has changed since it was opened')
            return os.pread(descriptor, size, offset)
        finally:
            os.close(descriptor)


def open_tars(name: str, manual_dir: Path, archives: Archives | None = None) -> PictureSource:
    """Opens the splits 'train' and 'validation', each sorted by label and then by file name.

    The first call reads the headers of the tars, which takes minutes.

    Args:
        name: as in `config.dataset.name`.
        manual_dir: a folder with the two tars.
        archives: the expected tars; None means IMAGENET.

    Raises:
        DataError: a tar is missing, damaged, or not the expected one.
    """
    archives = archives or IMAGENET
    train, validation = _find(manual_dir, archives)
    synsets, labels = archives.synsets(), archives.validation_labels()
    about = synsets, labels.tolist()
    splits = {
        'train': _open(train, archives.train, about, partial(_scan_train, synsets=synsets)),
        'validation': _open(validation, archives.validation, about, partial(_scan_validation, labels=labels)),
    }
    sizes = {split: len(pictures) for split, pictures in splits.items()}
    fingerprint = _digest([pictures.state for pictures in splits.values()], *about)
    return PictureSource(name, shown_names(synsets), sizes, splits, fingerprint)


def verify(manual_dir: Path, archives: Archives | None = None) -> Iterator[str]:
    """Reads both tars completely, which takes minutes, and yields a line for each correct tar.

    Raises:
        DataError: a tar is missing, or has the wrong size or SHA-256.
    """
    archives = archives or IMAGENET
    for path, archive in zip(_find(manual_dir, archives), (archives.train, archives.validation), strict=True):
        digest = hashlib.sha256()
        with tqdm(total=archive.size, unit='B', unit_scale=True, desc=f'reading {archive.file}', disable=None) as bar:
            try:
                with path.open('rb') as file:
                    while piece := file.read(PIECE):
                        digest.update(piece)
                        bar.update(len(piece))
            except OSError as e:
                raise DataError(f'{files.shown(path)} cannot be read: {e.strerror}') from None
        if digest.hexdigest() != archive.sha256:
            wrong = f'its SHA-256 is {digest.hexdigest()}; it must be {archive.sha256}'
            raise DataError(f'{files.shown(path)} is damaged: {wrong}')
        yield f'{archive.file}: {archive.size:,} bytes, correct SHA-256'


def _find(manual_dir: Path, archives: Archives) -> list[Path]:
    """Finds the tars of training and validation, and checks their sizes."""
    found = []
    for archive in (archives.train, archives.validation):
        path = (manual_dir / archive.file).absolute()
        if not path.is_file():
            raise DataError(
                f'{files.shown(manual_dir)} has no file {archive.file}: config.dataset.manual_dir must name a folder '
                f'with {archives.train.file} and {archives.validation.file}, from image-net.org after registration'
            )
        if path.stat().st_size != archive.size:
            has = f'has {path.stat().st_size:,} bytes; it must have {archive.size:,}'
            raise DataError(f'{files.shown(path)} {has}')
        found.append(path)
    return found


_Members = dict[str, tuple[int, int]]
"""The position of each picture by its name: the offset of its first byte in the file, and its size in bytes."""


def _open(
    path: Path, archive: Archive, about: object, scan: Callable[[IO[bytes], str, tqdm], tuple[np.ndarray, np.ndarray]]
) -> TarPictures:
    """Opens the pictures of a tar with the index from the cache. If the cache has no index, scans the tar."""
    state, shown = (path.stat().st_size, path.stat().st_mtime_ns), files.shown(path)

    def make() -> array_cache.Arrays:
        _log.info('reading the headers of %s; this is done only once', shown)
        try:
            with (
                path.open('rb') as file,
                tqdm(total=archive.pictures, desc=f'headers of {archive.file}', disable=None) as bar,
            ):
                places, labels = scan(file, shown, bar)
        except OSError as e:
            raise DataError(f'{shown} cannot be read: {e.strerror}') from None
        if len(labels) != archive.pictures:
            raise DataError(f'{shown} has {len(labels):,} pictures; it must have {archive.pictures:,}')
        return {'offsets': places[:, 0], 'sizes': places[:, 1].astype(np.int32), 'labels': labels.astype(np.int32)}

    return TarPictures(path, state, **array_cache.load(f'imagenet2012-index-{_digest(path, state, about)}', make))


def _digest(*facts: object) -> str:
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:32]


def _scan_train(file: IO[bytes], where: str, bar: tqdm, synsets: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Positions of the training pictures, int64 [pictures, (offset, size)], and their labels."""
    classes: dict[str, _Members] = {}
    for info, content in _members(file, where):
        synset = info.name.removesuffix('.tar')
        if info.name == synset or synset not in synsets:
            raise DataError(f'{where} is damaged: its member {info.name!r} is not the tar of a class')
        if synset in classes:
            raise DataError(f'{where} is damaged: it has two members {info.name!r}')
        pictures = _pictures(content, f'{where}: {info.name}', rf'{synset}_[0-9]+\.JPEG', bar)
        classes[synset] = {name: (info.offset_data + begin, size) for name, (begin, size) in pictures.items()}
    for synset in synsets:
        if synset not in classes:
            count = f'{len(classes):,} classes; it must have {len(synsets):,}'
            raise DataError(f'{where} has {count}: {synset}.tar is missing')
    ordered = [classes[synset] for synset in synsets]
    places = [place for members in ordered for _, place in sorted(members.items())]
    return np.array(places, np.int64).reshape(-1, 2), np.repeat(np.arange(len(ordered)), [*map(len, ordered)])


def _scan_validation(file: IO[bytes], where: str, bar: tqdm, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positions and labels of the validation pictures. `labels` are in the order of the pictures' numbers."""
    found = []
    for name, place in _pictures(file, where, r'ILSVRC2012_val_[0-9]{8}\.JPEG', bar).items():
        number = int(name[-13:-5])
        if not 1 <= number <= len(labels):
            raise DataError(f'{where} is damaged: its member {name!r} has no label')
        found.append((int(labels[number - 1]), name, place))
    found.sort()
    return np.array([place for *_, place in found], np.int64), np.array([label for label, *_ in found])


def _pictures(file: IO[bytes], where: str, pattern: str, bar: tqdm) -> _Members:
    """Lists the pictures of a tar, whose names must match a regular expression."""
    found: _Members = {}
    for info, _ in _members(file, where):
        if not re.fullmatch(pattern, info.name):
            raise DataError(f'{where} is damaged: its member {info.name!r} must have a name such as {pattern}')
        if info.name in found:
            raise DataError(f'{where} is damaged: it has two members {info.name!r}')
        if info.size == 0:
            raise DataError(f'{where} is damaged: its member {info.name!r} has 0 bytes')
        found[info.name] = info.offset_data, info.size
        bar.update()
    return found


def _members(file: IO[bytes], where: str) -> Iterator[tuple[tarfile.TarInfo, IO[bytes]]]:
    """Yields the headers and contents of a tar's members. Raises DataError if a member is not a regular file."""
    try:
        with tarfile.open(fileobj=file, mode='r:', errors='backslashreplace') as tar:
            for info in tar:
                if not info.isfile() or info.issparse():
                    raise DataError(f'{where} is damaged: its member {info.name!r} is not a regular file')
                yield info, cast(IO[bytes], tar.extractfile(info))
    except (tarfile.TarError, ValueError) as e:
        raise DataError(f'{where} is damaged: {e}') from None
