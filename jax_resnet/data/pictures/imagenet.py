"""ImageNet (ILSVRC 2012): its classes, and its two tars, which are read without unpacking them.

The headers of the tars are read once to make an index with the position of each picture. The cache keeps the index.
"""

import logging
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
from tqdm import tqdm

from jax_resnet.data import cache
from jax_resnet.data.sources import PictureSource
from jax_resnet.errors import DataError

_log = logging.getLogger(__name__)


IMAGENET_CLASSES: dict[str, str] = dict(
    line.split(' ', 1)
    for line in Path(__file__).with_name('imagenet_classes.txt').read_text(encoding='utf-8').splitlines()
)
"""The names of ImageNet's 1,000 classes by synset, such as n01440764, in the order of the labels."""


def shown_names(names: Sequence[str]) -> tuple[str, ...]:
    """Class names for people. If all names are ImageNet's synsets, returns their words; else returns them unchanged."""
    return tuple(IMAGENET_CLASSES[name] for name in names) if {*names} <= IMAGENET_CLASSES.keys() else tuple(names)


def validation_labels() -> dict[str, int]:
    """The labels of the 50,000 validation pictures, by the names of their files without endings.

    The file was made from the labels in TFDS (Apache 2.0), which are those of ILSVRC's development kit.
    """
    with np.load(Path(__file__).with_name('imagenet_validation.npz'), allow_pickle=False) as file:
        return {f'ILSVRC2012_val_{number:08}': label for number, label in enumerate(file['labels'].tolist(), 1)}


class Archive(NamedTuple):
    """A published tar: its name, its size in bytes, and its number of pictures."""

    file: str
    size: int
    pictures: int


ARCHIVES = {
    'train': Archive('ILSVRC2012_img_train.tar', 147_897_477_120, 1_281_167),
    'validation': Archive('ILSVRC2012_img_val.tar', 6_744_924_160, 50_000),
}
"""For each split, its tar. That of training has a tar of pictures for each class."""


@dataclass(frozen=True, eq=False)
class TarPictures:
    """The pictures of a tar, by index.

    Attributes:
        path: the tar.
        offsets: int64 [pictures], the position of each picture's first byte in the file.
        sizes: int32 [pictures], in bytes.
        labels: int32 [pictures].
    """

    path: Path
    offsets: np.ndarray
    sizes: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[bytes, int]:
        return self._read(int(self.offsets[index]), int(self.sizes[index])), int(self.labels[index])

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
        with self.path.open('rb', 0) as file:  # for each picture, so threads and processes share nothing
            file.seek(offset)
            return file.read(size)


def open_tars(name: str, manual_dir: Path) -> PictureSource:
    """Opens the splits 'train' and 'validation', or the one whose tar is there, sorted by label and then by file name.

    The first call reads the headers of the tars, which takes minutes.

    Args:
        name: as in `config.dataset.name`.
        manual_dir: a folder with the two tars, or with one.

    Raises:
        DataError: there is no tar; or one is damaged, or not the expected one.
    """
    paths = {split: (manual_dir / archive.file).absolute() for split, archive in ARCHIVES.items()}
    if not any(path.is_file() for path in paths.values()):
        raise DataError(
            f'{manual_dir} has no tar of ImageNet: config.dataset.manual_dir must name a folder with '
            f'{" and ".join(each.name for each in paths.values())}, from image-net.org after registration'
        )
    paths = {split: path for split, path in paths.items() if path.is_file()}
    for split in ARCHIVES.keys() - paths.keys():
        _log.warning('%s has no %s: there is no split %r', manual_dir, ARCHIVES[split].file, split)
    for split, path in paths.items():
        size = ARCHIVES[split].size
        if path.stat().st_size != size:
            raise DataError(f'{path} has {path.stat().st_size:,} bytes; it must have {size:,}')
    indices = {split: cache.digest(path, path.stat().st_size, path.stat().st_mtime_ns) for split, path in paths.items()}
    pictures = {}
    for split, path in paths.items():
        key, make = f'imagenet2012-index-{indices[split]}', partial(_index, split, path)
        pictures[split] = TarPictures(path, **cache.load(key, make))
    sizes = {split: len(each) for split, each in pictures.items()}
    listing = {split: np.array([f'{a.file} {a.size}'.encode()]) for split, a in ARCHIVES.items() if split in paths}
    return PictureSource(name, tuple(IMAGENET_CLASSES.values()), sizes, pictures, cache.digest(indices), listing)


def _index(split: str, path: Path) -> cache.Arrays:
    """Reads the headers of a tar. The pictures are sorted by label and name."""
    _log.info('reading the headers of %s; this is done only once', path)
    synsets, numbered = {synset: label for label, synset in enumerate(IMAGENET_CLASSES)}, validation_labels()
    count, found = ARCHIVES[split].pictures, []
    try:
        with path.open('rb') as file, tqdm(total=count, desc=f'headers of {path.name}', disable=None) as bar:
            for name, *position in _members(file, str(path)):
                stem = name.removesuffix('.JPEG')
                label = synsets.get(name[:9]) if split == 'train' else numbered.get(stem)
                if label is None or stem == name:
                    raise DataError(f'{path} is damaged: its member {name!r} is not one of its pictures')
                found.append((label, name, *position))
                bar.update()
    except OSError as e:
        raise DataError(f'{path} cannot be read: {e.strerror}') from None
    if len(found) != count:
        raise DataError(f'{path} has {len(found):,} pictures; it must have {count:,}')
    labels, _, offsets, sizes = zip(*sorted(found), strict=True)
    return {'offsets': np.array(offsets), 'sizes': np.array(sizes, np.int32), 'labels': np.array(labels, np.int32)}


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
