"""Pictures in one folder per class: the layout of the unpacked ImageNet and of most other data sets."""

import hashlib
import logging
import os
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from jax_resnet.data.pictures.imagenet import IMAGENET_CLASSES, shown_names, validation_labels
from jax_resnet.data.sources import PictureSource
from jax_resnet.errors import DataError, printable

_log = logging.getLogger(__name__)

LAYOUT = (
    'the layout must be train/<class>/<picture> and val/<class>/<picture>, or <class>/<picture> for two or more classes'
)
DRAW = (0.2, 0)
"""By default, about this fraction of each class is drawn for validation, with this seed."""

KAGGLE = Path('ILSVRC/Data/CLS-LOC')
"""Where Kaggle's archive of ImageNet has the folders of the splits."""

ENDINGS = ('.jpg', '.jpeg', '.png', '.webp')
SYSTEM_FILES = ('thumbs.db', 'desktop.ini')
"""Files of Windows, in lower case. Like hidden files, they are ignored in silence."""

LEFTOVERS = (
    *('__macosx', '@eadir', '#recycle', '@recycle', '@tmp', '$recycle.bin', 'system volume information', 'lost+found'),
    '__pycache__',
)
"""Folders of systems and programs, in lower case. They are no classes; a line says that they are ignored."""

SPLIT = re.compile(
    r'(train|training|trainval|val|valid|validation|test|testing|dev|eval)([ _-]?(set|data|images|pictures))?[ _-]?\d*',
    re.I,
)
"""Names of splits, in whose place a class is expected."""

_Split = dict[str, dict[str, int]]
"""The pictures of a split: maps each class to their paths in the folder, and these to sizes in bytes. Sorted."""


@dataclass(frozen=True, eq=False)
class FolderPictures:
    """The pictures of a split, read from their files.

    Attributes:
        folder: the folder of the split.
        labels: int32, one per picture.
        listing: for each picture b'path size', of a fixed length; so a million pictures need little memory.
    """

    folder: Path
    labels: np.ndarray
    listing: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[bytes, int]:
        return self._path(index).read_bytes(), int(self.labels[index])

    def name(self, index: int) -> str:
        """Path of a picture, for messages."""
        return printable(self._path(index))

    def _path(self, index: int) -> Path:
        return self.folder / os.fsdecode(self.listing[index].rpartition(b' ')[0])


def open_folder(name: str, folder: Path, validation_fraction: float = DRAW[0], seed: int = DRAW[1]) -> PictureSource:
    """Opens a folder of pictures: train/<class>/*, val/<class>/* and perhaps test/<class>/*; or only <class>/*.

    A folder that has only val or test can be evaluated, but not trained on. ImageNet's val may be flat.

    Labels follow the sorted names of the classes' folders. If all of these are ImageNet synsets, such as n01440764, the
    words for these classes are shown instead. Examples are sorted by label, and then by file name.

    Args:
        name: name of the data set, for messages.
        folder: a folder as above; 'val' may also be 'valid' or 'validation'. Links in it are followed.
        validation_fraction: if the folder only has classes, the fraction of each class that is drawn for 'validation',
            as well as a draw by names allows: the draw for a picture depends only on the seed, its class and its
            file's name. If a class has two or more pictures, both splits get at least one of them.
        seed: seed of this draw.

    Raises:
        DataError: the folder is missing or has another layout, or train lacks a class or has no pictures of it.
    """
    folder = folder / KAGGLE if (folder / KAGGLE).is_dir() else folder
    found: dict[str, _Split] = {}
    times: list[int] = []
    ignored: set[str] = set()
    try:
        subfolders = _subfolders(folder, ignored)
        for split, subfolder in subfolders.items():
            found[split] = _list(f'{name}, {split}', folder / subfolder, split == 'validation', times, ignored)
    except OSError as e:
        raise DataError(f'{e.filename}: cannot be read ({e.strerror}); {LAYOUT}') from None
    if ignored:
        reason = f'a picture must be a {", ".join(ENDINGS[:-1])} or {ENDINGS[-1]} file in the folder of a class'
        _log.warning(
            'ignored %s files or folders, such as %s: %s', f'{len(ignored):,}', printable(min(ignored)), reason
        )
    if 'validation' in found and (validation_fraction, seed) != DRAW:
        _log.warning(
            'config.dataset.validation_fraction=%s, split_seed=%s: have no effect, as %s is the validation split',
            validation_fraction,
            seed,
            printable(folder / subfolders['validation']),
        )
    if not found.get('test', True) and 'train' in found:  # as in ImageNet, whose test pictures have no classes
        del found['test']
    _check_classes(folder, subfolders, found)
    classes = sorted(next(iter(found.values())))
    if 'train' in found and 'validation' not in found:
        found = _split_randomly(found['train'], validation_fraction, seed)
        drawn, count = (sum(map(len, found[split].values())) for split in ('validation', 'train'))
        _log.info(
            '%s has no validation split: %s of %s pictures are drawn for it', printable(folder), drawn, drawn + count
        )
    pictures, digest = {}, hashlib.sha256(repr(times).encode())
    for split, groups in found.items():
        missing = [class_name for class_name in classes if not groups.get(class_name)]
        if len(missing) == len(classes):
            raise DataError(f'{folder}: has no pictures for {split}; {LAYOUT}')
        if missing:
            _log.warning('%s: %s has no pictures of %s', printable(folder), split, _list_classes(missing))
        files = [(label, path, size) for label, c in enumerate(classes) for path, size in groups.get(c, {}).items()]
        labels = np.array([label for label, _, _ in files], np.int32)
        listing = np.array([os.fsencode(f'{path} {size}') for _, path, size in files])
        digest.update(split.encode() + listing.tobytes())
        pictures[split] = FolderPictures(folder / subfolders.get(split, ''), labels, listing)
    sizes = {split: len(each) for split, each in pictures.items()}
    listings = {split: each.listing for split, each in pictures.items()}
    return PictureSource(
        name, shown_names([*map(printable, classes)]), sizes, pictures, digest.hexdigest()[:16], listings
    )


def _list(title: str, folder: Path, may_be_flat: bool, times: list[int], ignored: set[str]) -> _Split:
    """Lists the pictures of a split. Adds the times of their last changes to `times`, and other files to `ignored`."""
    found: _Split = {}
    entries = _entries(folder, ignored)
    is_flat = may_be_flat and not any(entry.is_dir() for entry in entries)
    synsets = [*IMAGENET_CLASSES]
    flat = {stem: synsets[label] for stem, label in validation_labels().items()} if is_flat else {}
    for entry in tqdm(entries, f'listing {title}', disable=None, delay=2, leave=False):
        if entry.is_dir():
            class_name = unicodedata.normalize('NFC', entry.name)  # macOS may write an accent apart
            if class_name in found:
                raise DataError(f'{folder}: has two folders of the same name, {class_name}')
            found[class_name], pictures, before = {}, _entries(entry, ignored), f'{entry.name}/'
        else:
            class_name, pictures, before = flat.get(Path(entry.name).stem, ''), [entry], ''
        for picture in pictures:
            if class_name and picture.name.lower().endswith(ENDINGS) and picture.is_file():
                status = picture.stat()
                found.setdefault(class_name, {})[before + picture.name] = status.st_size
                times.append(status.st_mtime_ns)
            else:
                ignored.add(picture.path)
    return found


def is_ignored(name: str) -> bool:
    """Whether a file or folder is hidden, a system's file, or a leftover."""
    return name.startswith('.') or name.lower() in (*SYSTEM_FILES, *LEFTOVERS)


def _entries(folder: str | os.PathLike[str], ignored: set[str]) -> list[os.DirEntry[str]]:
    """Entries of a folder, sorted by name, without hidden files and system files. Adds leftovers to `ignored`."""
    with os.scandir(folder) as found:
        seen = [entry for entry in found if not entry.name.startswith('.') and entry.name.lower() not in SYSTEM_FILES]
    ignored |= {entry.path for entry in seen if entry.name.lower() in LEFTOVERS}
    return sorted((entry for entry in seen if entry.path not in ignored), key=lambda entry: entry.name)


def _subfolders(folder: Path, ignored: set[str]) -> dict[str, str]:
    """Maps each split to the name of its folder. If the folder only has classes, the result is {'train': ''}.

    Raises:
        DataError: 'train' exists, and none or several of 'val', 'valid' and 'validation'.
        OSError: a folder cannot be listed.
    """
    folders = {entry.name for entry in _entries(folder, ignored) if entry.is_dir()}
    validation = [name for name in ('val', 'valid', 'validation') if name in folders]
    only = sorted(folders)
    if only in (['val'], ['valid'], ['validation'], ['test']):
        return {'test' if only == ['test'] else 'validation': only[0]}
    # A class may be named 'train'. It is not the split if it has no subfolders, and there is no 'val' or 'validation'.
    if 'train' not in folders or not (
        validation or any(entry.is_dir() for entry in _entries(folder / 'train', ignored))
    ):
        return {'train': ''}
    if len(validation) != 1:
        found = f'both {" and ".join(validation)}' if validation else 'train, but neither val nor validation'
        hint = '' if validation else f'; if you give {folder / "train"}, a part is drawn for validation'
        raise DataError(f'{folder}: has {found}; {LAYOUT}{hint}')
    return {'train': 'train', 'validation': validation[0], **({'test': 'test'} if 'test' in folders else {})}


def _check_classes(folder: Path, subfolders: Mapping[str, str], found: Mapping[str, _Split]) -> None:
    """Raises DataError if the first split has under two classes, an empty class, or lacks a class of another one."""
    first = next(iter(found))
    train, subfolder = found[first], folder / subfolders[first]
    like_splits = [class_name for class_name in train if SPLIT.fullmatch(class_name)]
    if like_splits and len(like_splits) >= min(2, len(train)):
        raise DataError(f'{subfolder}: has {_list_classes(like_splits)} named like splits; {LAYOUT}')
    if len(train) < 2:
        has = f'only the class {next(iter(train))}' if train else 'no folders of classes'
        hint = ''.join(f'; or give {subfolder / name}' for name, pictures in train.items() if not pictures)
        raise DataError(f'{subfolder}: has {has}; {LAYOUT}{hint}')
    for class_name, names in train.items():
        if not names:
            raise DataError(f'{subfolder / class_name}: class {class_name} has no pictures; {LAYOUT}')
    for split, classes in found.items():
        if unknown := sorted(class_name for class_name in classes if class_name not in train):
            raise DataError(f'{folder / subfolders[split]}: has {_list_classes(unknown)} that train does not have')


def _split_randomly(found: _Split, fraction: float, seed: int) -> dict[str, _Split]:
    """Splits the pictures: those whose number, drawn by class and name, is below `fraction` are for 'validation'.

    So a picture that is added or removed leaves the others where they are. But of two or more pictures of a class, at
    least one is for each split: the one whose number is the smallest or largest.
    """
    train, validation = {}, {}
    for class_name, paths in found.items():
        ranked = sorted((_number(seed, class_name, path), path) for path in paths)
        count = sum(number < fraction for number, _ in ranked)
        taken = {path for _, path in ranked[: min(max(count, 1), len(paths) - 1)]}
        train[class_name] = {path: size for path, size in paths.items() if path not in taken}
        validation[class_name] = {path: size for path, size in paths.items() if path in taken}
    return {'train': train, 'validation': validation}


def _number(seed: int, class_name: str, path: str) -> float:
    """Draws a number from 0 to 1 for a picture, by its class and the name of its file."""
    key = b'%d %b/%b' % (seed, os.fsencode(class_name), os.fsencode(path.rpartition('/')[2]))
    return int.from_bytes(hashlib.sha256(key).digest()[:8], 'big') / 2**64


def _list_classes(classes: Sequence[str]) -> str:
    """The number of classes, and the first five: '2 classes (cat, dog)'."""
    names = ', '.join(map(printable, classes[:5])) + (', ...' if len(classes) > 5 else '')
    return f'{len(classes):,} {"class" if len(classes) == 1 else "classes"} ({names})'
