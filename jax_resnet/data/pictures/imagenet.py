"""ImageNet (ILSVRC 2012): its classes, and its two tars, which are read without unpacking them.

The headers of the tars are read once to make an index with the position of each picture. The cache keeps the index.
"""

import csv
import hashlib
import logging
import os
import tarfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import IO, NamedTuple

import numpy as np
from tqdm import tqdm

from jax_resnet.data import cache as array_cache
from jax_resnet.data.sources import PictureSource
from jax_resnet.errors import DataError

_log = logging.getLogger(__name__)


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


KAGGLE = Path('ILSVRC/Data/CLS-LOC')
"""Where Kaggle's archive has the folders of the splits."""


def flat_labels(folder: Path) -> dict[str, str]:
    """The synsets of the validation pictures, by the names of their files without endings.

    They come from a file in the folder of the splits, or above it: Kaggle's LOC_val_solution.csv, or ILSVRC's
    development kit. Without these files, they are the published ones.

    Raises:
        DataError: such a file cannot be read.
    """
    import scipy.io  # slow, and needed here alone

    synsets = [*imagenet_classes()]
    labels = [synsets[label] for label in validation_labels().tolist()]
    for place in (folder, *folder.absolute().parents[:3]):
        solution, kit = place / 'LOC_val_solution.csv', place / 'ILSVRC2012_devkit_t12' / 'data'
        try:
            if solution.is_file():
                with solution.open(encoding='utf-8', newline='') as file:
                    return {row['ImageId']: row['PredictionString'].split()[0] for row in csv.DictReader(file)}
            if (kit / 'meta.mat').is_file():
                meta = scipy.io.loadmat(str(kit / 'meta.mat'), squeeze_me=True)['synsets']
                names = dict(zip(meta['ILSVRC2012_ID'].tolist(), meta['WNID'].tolist(), strict=True))
                numbers = np.loadtxt(kit / 'ILSVRC2012_validation_ground_truth.txt', int, ndmin=1).tolist()
                labels = [names[number] for number in numbers]
                break
        except Exception as e:  # damaged files raise many types of errors
            which = solution if solution.is_file() else kit
            raise DataError(f'{which}: has no labels of ImageNet ({" ".join(repr(e).split())[:200]})') from None
    return {f'ILSVRC2012_val_{number:08}': label for number, label in enumerate(labels, 1)}


class Archive(NamedTuple):
    """A published tar: its name, its size in bytes, and its number of pictures."""

    file: str
    size: int
    pictures: int


ARCHIVES = {
    'train': Archive(
        file='ILSVRC2012_img_train.tar',
        size=147_897_477_120,
        pictures=1_281_167,
    ),
    'validation': Archive(
        file='ILSVRC2012_img_val.tar',
        size=6_744_924_160,
        pictures=50_000,
    ),
}
"""For each split, its tar. That of training has a tar of pictures for each class."""


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
            member = tarfile.TarInfo.frombuf(header, 'utf-8', 'backslashreplace').name
        except (OSError, tarfile.HeaderError):
            member = f'the picture at byte {offset:,}'
        return f'{self.path.name}: {member}'

    def _read(self, offset: int, size: int) -> bytes:
        descriptor = os.open(self.path, os.O_RDONLY)  # for each picture, so threads and processes share nothing
        try:
            status = os.fstat(descriptor)
            if (status.st_size, status.st_mtime_ns) != self.state:
                raise OSError(0, 'the file has changed since it was opened')
            return os.pread(descriptor, size, offset)
        finally:
            os.close(descriptor)


def open_tars(name: str, manual_dir: Path) -> PictureSource:
    """Opens the splits 'train' and 'validation', each sorted by label and then by file name.

    The first call reads the headers of the tars, which takes minutes.

    Args:
        name: as in `config.dataset.name`.
        manual_dir: a folder with the two tars.

    Raises:
        DataError: a tar is missing, damaged, or not the expected one.
    """
    splits = {split: _open(split, path) for split, path in _find(manual_dir).items()}
    sizes = {split: len(pictures) for split, pictures in splits.items()}
    fingerprint = _digest([pictures.state for pictures in splits.values()])
    listing = {split: np.array([f'{a.file} {a.size}'.encode()]) for split, a in ARCHIVES.items()}
    return PictureSource(name, tuple(imagenet_classes().values()), sizes, splits, fingerprint, listing)


def _find(manual_dir: Path) -> dict[str, Path]:
    """Finds the tar of each split, and checks its size."""
    found = {}
    for split, archive in ARCHIVES.items():
        path = (manual_dir / archive.file).absolute()
        if not path.is_file():
            names = ' and '.join(archive.file for archive in ARCHIVES.values())
            raise DataError(
                f'{manual_dir} has no file {archive.file}: config.dataset.manual_dir must name a folder '
                f'with {names}, from image-net.org after registration'
            )
        if path.stat().st_size != archive.size:
            has = f'has {path.stat().st_size:,} bytes; it must have {archive.size:,}'
            raise DataError(f'{path} {has}')
        found[split] = path
    return found


def _open(split: str, path: Path) -> TarPictures:
    """Opens the pictures of a tar with the index from the cache. If the cache has no index, makes it."""
    archive, state, where = ARCHIVES[split], (path.stat().st_size, path.stat().st_mtime_ns), str(path)

    def make() -> array_cache.Arrays:
        _log.info('reading the headers of %s; this is done only once', where)
        find_label, found = _labels(split), []
        try:
            with (
                path.open('rb') as file,
                tqdm(total=archive.pictures, desc=f'headers of {archive.file}', disable=None) as bar,
            ):
                for name, *position in _members(file, where):
                    if (label := find_label(name)) is None:
                        raise DataError(f'{where} is damaged: its member {name!r} is not one of its pictures')
                    found.append((label, name, *position))
                    bar.update()
        except OSError as e:
            raise DataError(f'{where} cannot be read: {e.strerror}') from None
        if len(found) != archive.pictures:
            raise DataError(f'{where} has {len(found):,} pictures; it must have {archive.pictures:,}')
        labels, _, offsets, sizes = zip(*sorted(found), strict=True)
        return {'offsets': np.array(offsets), 'sizes': np.array(sizes, np.int32), 'labels': np.array(labels, np.int32)}

    return TarPictures(path, state, **array_cache.load(f'imagenet2012-index-{_digest(path, state)}', make))


def _digest(*facts: object) -> str:
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:32]


def _labels(split: str) -> Callable[[str], int | None]:
    """A function that takes the name of a file, and returns the label of the picture; None for other files."""
    if split == 'train':
        labels = {synset: label for label, synset in enumerate(imagenet_classes())}
        return lambda name: labels.get(name[:9]) if name.endswith('.JPEG') else None
    numbered = enumerate(validation_labels().tolist(), 1)
    return {f'ILSVRC2012_val_{number:08}.JPEG': label for number, label in numbered}.get


def _members(file: IO[bytes], where: str) -> Iterator[tuple[str, int, int]]:
    """Yields the files in a tar and in the tars in it: name, position of the first byte, and size in bytes."""
    try:
        with tarfile.open(fileobj=file, mode='r:', errors='backslashreplace') as tar:
            for info in tar:
                content = tar.extractfile(info) if info.name.endswith('.tar') else None
                if content is None:
                    yield info.name, info.offset_data, info.size
                else:
                    for name, begin, size in _members(content, f'{where}: {info.name}'):
                        yield name, info.offset_data + begin, size
    except (tarfile.TarError, ValueError) as e:
        raise DataError(f'{where} is damaged: {e}') from None
