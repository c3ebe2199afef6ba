"""Pictures in one folder per class: the layout of the unpacked ImageNet and of most other data sets."""

import hashlib
import logging
import os
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from jax_resnet import files
from jax_resnet.data.pictures.imagenet import shown_names
from jax_resnet.data.sources import PictureSource
from jax_resnet.errors import DataError
from jax_resnet.files import shown

_log = logging.getLogger(__name__)

LAYOUT = (
    'the layout must be train/<class>/<picture> and val/<class>/<picture>, or <class>/<picture> for two or more classes'
)
DRAW = (0.2, 0)
"""By default, about this fraction of each class is drawn for validation, with this seed."""

ENDINGS = ('.jpg', '.jpeg', '.png', '.webp')
SYSTEM_FILES = ('thumbs.db', 'desktop.ini')
"""Files of Windows. Like hidden files, they are ignored."""

_Found = dict[str, list[str]]
"""Maps each class to the names of its pictures. Classes and names are sorted."""


@dataclass(frozen=True, eq=False)
class FolderPictures:
    """The pictures of a split, read from their files.

    Attributes:
        folder: the folder that contains the classes' folders.
        classes: names of the classes' folders in this split, indexed by label.
        labels: int32, one per picture.
        names: names of the files, bytes of a fixed length; so a million pictures need little memory.
    """

    folder: Path
    classes: tuple[str, ...]
    labels: np.ndarray
    names: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[bytes, int]:
        """Reads a picture. Raises DataError, which names it, if its file is missing or cannot be read."""
        path = self._path(index)
        try:
            return files.read(path), int(self.labels[index])
        except OSError as e:
            raise DataError(f'{shown(path)}: cannot be read ({e.strerror})') from None

    def name(self, index: int) -> str:
        """Path of a picture, for messages."""
        return shown(self._path(index))

    def _path(self, index: int) -> Path:
        return self.folder / self.classes[self.labels[index]] / os.fsdecode(self.names[index])


def open_folder(name: str, folder: Path, validation_fraction: float = DRAW[0], seed: int = DRAW[1]) -> PictureSource:
    """Opens a folder of pictures: train/<class>/*, val/<class>/* and perhaps test/<class>/*; or only <class>/*.

    A folder that has only val or test can be evaluated, but not trained on.

    Labels follow the sorted names of the classes' folders. If all of these are ImageNet synsets, such as n01440764, the
    words for these classes are shown instead. Examples are sorted by label, and then by file name.

    Args:
        name: name of the data set, for messages.
        folder: a folder as above; 'val' may also be 'validation'. Links in it are followed.
        validation_fraction: if the folder only has classes, the fraction of each class that is drawn for 'validation',
            as well as a draw by names allows: the draw for a picture depends only on the seed, its class and its
            file's name. If a class has two or more pictures, both splits get at least one of them.
        seed: seed of this draw.

    Raises:
        DataError: the folder is missing or has another layout, or train lacks a class or has no pictures of it.
    """
    digest = hashlib.sha256()
    found: dict[str, _Found] = {}
    folders: dict[str, dict[str, str]] = {}
    ignored: list[str] = []
    try:
        subfolders = _subfolders(folder)
        for split, subfolder in subfolders.items():
            title = f'listing {name}, {split}'
            found[split], folders[split] = {}, {}
            for entry in tqdm(_entries(folder / subfolder), title, disable=None, delay=2, leave=False):
                if entry.is_dir():
                    class_name = unicodedata.normalize('NFC', entry.name)  # macOS may write an accent apart
                    if class_name in found[split]:
                        raise DataError(
                            f'{shown(folder / subfolder)}: has two folders of class {shown(class_name)}, with other bytes'
                        )
                    folders[split][class_name] = entry.name
                    found[split][class_name] = _list_pictures(entry, f'{subfolder}/{entry.name}', digest, ignored)
                else:
                    ignored.append(entry.path)
    except OSError as e:
        raise DataError(f'{shown(e.filename)}: cannot be read ({e.strerror}); {LAYOUT}') from None
    if ignored:
        reason = f'a picture must be a {", ".join(ENDINGS[:-1])} or {ENDINGS[-1]} file in the folder of a class'
        _log.warning('ignored %s files or folders, such as %s: %s', f'{len(ignored):,}', shown(ignored[0]), reason)
    if 'validation' in found and (validation_fraction, seed) != DRAW:
        _log.warning(
            'config.dataset.validation_fraction=%s, split_seed=%s: have no effect, as %s is the validation split',
            validation_fraction,
            seed,
            shown(folder / subfolders['validation']),
        )
    if not found.get('test', True) and 'train' in found:  # as in ImageNet, whose test pictures have no classes
        del found['test']
    _check_classes(folder, subfolders, found)
    first = next(iter(found))
    classes = sorted(found[first])
    if 'train' in found and 'validation' not in found:
        found = _split_randomly(found['train'], validation_fraction, seed)
        folders['validation'] = folders['train']
        digest.update(f'{validation_fraction} {seed}'.encode())
    for split, names in found.items():
        missing = [class_name for class_name in classes if not names.get(class_name)]
        if len(missing) == len(classes):
            raise DataError(f'{shown(folder)}: has no pictures for {split}; {LAYOUT}')
        if missing:
            _log.warning('%s: %s has no pictures of %s', shown(folder), split, _list_classes(missing))
    pictures = {}
    for split, names in found.items():
        groups = [names.get(class_name, ()) for class_name in classes]
        labels = np.repeat(np.arange(len(classes), dtype=np.int32), [*map(len, groups)])
        own = tuple(folders[split].get(class_name, '') for class_name in classes)
        encoded = np.array([os.fsencode(name) for group in groups for name in group])
        pictures[split] = FolderPictures(folder / subfolders.get(split, ''), own, labels, encoded)
    sizes = {split: len(each) for split, each in pictures.items()}
    return PictureSource(name, shown_names([*map(shown, classes)]), sizes, pictures, digest.hexdigest()[:16])


def _list_pictures(folder: os.DirEntry[str], relative: str, digest: Any, ignored: list[str]) -> list[str]:
    """Names of the pictures of a class. Adds them to the digest, and other paths to `ignored`."""
    names = []
    for entry in _entries(folder.path):
        if entry.name.lower().endswith(ENDINGS) and entry.is_file():
            about = entry.stat()
            path = os.fsencode(f'{relative}/{entry.name}')
            digest.update(b'%b\0%d %d\0' % (path, about.st_size, about.st_mtime_ns))
            names.append(entry.name)
        else:
            ignored.append(entry.path)
    return names


def _entries(folder: str | Path) -> list[os.DirEntry[str]]:
    """Entries of a folder, sorted by name, without hidden files and system files."""
    with os.scandir(folder) as found:
        seen = [e for e in found if not e.name.startswith('.') and e.name.lower() not in SYSTEM_FILES]
    return sorted(seen, key=lambda entry: entry.name)


def _subfolders(folder: Path) -> dict[str, str]:
    """Maps each split to the name of its folder. If the folder only has classes, the result is {'train': ''}.

    Raises:
        DataError: 'train' exists, and neither or both of 'val' and 'validation'.
        OSError: a folder cannot be listed.
    """
    folders = {entry.name for entry in _entries(folder) if entry.is_dir()}
    validation = [name for name in ('val', 'validation') if name in folders]
    only = sorted(folders)
    if only in (['val'], ['validation'], ['test']) and any(entry.is_dir() for entry in _entries(folder / only[0])):
        return {'test' if only == ['test'] else 'validation': only[0]}
    # A class may be named 'train'. It is not the split if it has no subfolders, and there is no 'val' or 'validation'.
    if 'train' not in folders or not (validation or any(entry.is_dir() for entry in _entries(folder / 'train'))):
        return {'train': ''}
    if len(validation) != 1:
        found = 'both val and validation' if validation else 'train, but neither val nor validation'
        raise DataError(f'{shown(folder)}: has {found}; {LAYOUT}')
    return {'train': 'train', 'validation': validation[0], **({'test': 'test'} if 'test' in folders else {})}


def _check_classes(folder: Path, subfolders: Mapping[str, str], found: Mapping[str, _Found]) -> None:
    """Raises DataError if the first split has under two classes, an empty class, or lacks a class of another one."""
    first = next(iter(found))
    train, subfolder = found[first], folder / subfolders[first]
    if len(train) < 2:
        has = f'only the class {shown(next(iter(train)))}' if train else 'no folders of classes'
        raise DataError(f'{shown(subfolder)}: has {has}; {LAYOUT}')
    for class_name, names in train.items():
        if not names:
            raise DataError(f'{shown(subfolder / class_name)}: class {shown(class_name)} has no pictures; {LAYOUT}')
    for split, classes in found.items():
        if unknown := [class_name for class_name in classes if class_name not in train]:
            raise DataError(
                f'{shown(folder / subfolders[split])}: has {_list_classes(unknown)} that train does not have'
            )


def _split_randomly(found: _Found, fraction: float, seed: int) -> dict[str, _Found]:
    """Splits the pictures: those whose number, drawn by class and name, is below `fraction` are for 'validation'.

    So a picture that is added or removed leaves the others where they are. But of two or more pictures of a class, at
    least one is for each split: the one whose number is the smallest or largest.
    """
    train, validation = {}, {}
    for class_name, names in found.items():
        ranked = sorted((_number(seed, class_name, name), name) for name in names)
        count = sum(number < fraction for number, _ in ranked)
        taken = {name for _, name in ranked[: min(max(count, 1), len(names) - 1)]}
        train[class_name] = [name for name in names if name not in taken]
        validation[class_name] = [name for name in names if name in taken]
    return {'train': train, 'validation': validation}


def _number(seed: int, class_name: str, name: str) -> float:
    """Draws a number from 0 to 1 for a picture."""
    key = b'%d %b/%b' % (seed, os.fsencode(class_name), os.fsencode(name))
    return int.from_bytes(hashlib.sha256(key).digest()[:8], 'big') / 2**64


def _list_classes(classes: Sequence[str]) -> str:
    """Text such as '2 classes (cat, dog)': the number of classes, and the first five."""
    names = ', '.join(map(shown, classes[:5])) + (', ...' if len(classes) > 5 else '')
    return f'{len(classes):,} {"class" if len(classes) == 1 else "classes"} ({names})'
