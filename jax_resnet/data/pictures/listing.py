"""Lists the pictures in the folders of classes, and reports unusual files."""

import hashlib
import logging
import os
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from jax_resnet.files import shown

_log = logging.getLogger(__name__)

ENDINGS = ('.jpg', '.jpeg', '.png', '.webp')
SYSTEM_FILES = ('thumbs.db', 'desktop.ini')
"""Files of Windows. Like hidden files, they are ignored."""


class Listing:
    """Lists the pictures in folders, computes a digest of them, and collects unusual files."""

    def __init__(self) -> None:
        self.digest = hashlib.sha256()
        self._files: list[str] = []
        self._folders: list[str] = []
        self._mixed: list[str] = []
        self._same_stems: list[str] = []

    def pictures(self, folder: Path, place: str, title: str) -> dict[str, list[str]]:
        """Lists the pictures in the classes of `folder / place`. Raises OSError if a folder cannot be listed."""
        found = {}
        for entry in tqdm(entries(folder / place), title, disable=None, delay=2, leave=False):
            if entry.is_dir():
                found[entry.name] = self._in_class(entry, f'{place}/{entry.name}')
            else:
                self._files.append(entry.path)
        return found

    def _in_class(self, folder: os.DirEntry[str], relative: str) -> list[str]:
        names, stems, endings = [], set(), set()
        for entry in entries(folder.path):
            stem, dot, ending = entry.name.rpartition('.')
            ending = dot + ending
            if entry.is_dir():
                self._folders.append(entry.path)
            elif ending.lower() in ENDINGS and entry.is_file():
                about = entry.stat()
                path = os.fsencode(f'{relative}/{entry.name}')
                self.digest.update(b'%b\0%d %d\0' % (path, about.st_size, about.st_mtime_ns))
                if stem in stems:
                    self._same_stems.append(entry.path)
                names.append(entry.name)
                stems.add(stem)
                endings.add(ending)
            else:
                self._files.append(entry.path)
        if len({ending.lower().replace('jpeg', 'jpg') for ending in endings}) < len(endings):
            self._mixed.append(f'{folder.path} ({", ".join(sorted(endings))})')
        return names

    def log_unusual(self) -> None:
        """Logs the unusual files, in at most one line per kind."""
        if self._files:
            kinds = f'{", ".join(ENDINGS[:-1])} or {ENDINGS[-1]}'
            _log.warning(
                'ignored %s: a picture must be a %s file in the folder of a class', _count(self._files, 'file'), kinds
            )
        if self._folders:
            _log.warning('ignored %s: only <class>/<picture> is read', _count(self._folders, 'folder'))
        odd = []
        if self._mixed:
            odd.append(f'files of one type have different endings in {_count(self._mixed, "class", "classes")}')
        if self._same_stems:
            odd.append(f'another file has the same name with another ending: {_count(self._same_stems, "picture")}')
        if odd:
            _log.warning('%s; all of them are read', '; '.join(odd))


def entries(folder: str | Path) -> list[os.DirEntry[str]]:
    """Entries of a folder, sorted by name, without hidden files and system files."""
    with os.scandir(folder) as found:
        seen = [e for e in found if not e.name.startswith('.') and e.name.lower() not in SYSTEM_FILES]
    return sorted(seen, key=lambda entry: entry.name)


def _count(paths: Sequence[str], one: str, more: str = '') -> str:
    """Text such as '2 files, such as a/b': the number of paths, and the first one."""
    return f'{len(paths):,} {one if len(paths) == 1 else more or one + "s"}, such as {shown(paths[0])}'
