"""Reads a tar without unpacking it: finds the positions of its members, and reads pictures from them."""

import os
import re
import tarfile
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
from tqdm import tqdm

from jax_resnet import files
from jax_resnet.data.pictures.source import Picture
from jax_resnet.errors import DataError

BLOCK = tarfile.BLOCKSIZE
FILES = (tarfile.REGTYPE, tarfile.AREGTYPE)
MOST_BYTES = 2**31 - 1
"""Maximum size of a picture in bytes; sizes are stored as int32."""
PAX_HEADERS = (tarfile.XHDTYPE, tarfile.XGLTYPE)


@dataclass(frozen=True)
class File:
    """A file that any thread can read. It can be pickled for other processes. The first read opens it.

    Attributes:
        path: absolute path.
        size: in bytes.
        modified: time of the last change, in ns.
    """

    path: Path
    size: int
    modified: int

    @classmethod
    def from_path(cls, path: Path) -> Self:
        """Records a file's current size and time. Raises OSError if there is no such file."""
        status = path.stat()
        return cls(path.absolute(), status.st_size, status.st_mtime_ns)

    def read(self, offset: int, size: int) -> bytes:
        """Reads `size` bytes at `offset`. Raises OSError with the reason in `strerror` if it cannot read them all."""
        content = os.pread(self._descriptor(), size, offset)
        if len(content) != size:
            raise OSError(0, f'the file ends after {len(content):,} of {size:,} bytes')
        return content

    def _descriptor(self) -> int:
        if (descriptor := self.__dict__.get('descriptor')) is not None:
            return descriptor
        opened = files.open_file(self.path, os.O_RDONLY)
        status = os.fstat(opened)
        if (status.st_size, status.st_mtime_ns) != (self.size, self.modified):
            os.close(opened)
            raise OSError(0, 'the file has changed since it was opened')
        descriptor = self.__dict__.setdefault('descriptor', opened)
        if descriptor == opened:
            weakref.finalize(self, os.close, opened)
        else:  # another thread opened the file first
            os.close(opened)
        return descriptor

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != 'descriptor'}


class Member(NamedTuple):
    """A regular file in a tar: its name, the offset of its first byte in the file, and its size in bytes."""

    name: str
    offset: int
    size: int


def members(file: File, begin: int, end: int, where: str) -> Iterator[Member]:
    """Yields the members of the tar in bytes `begin` to `end` (exclusive) of a file. Reads the headers only.

    A member's name and size come from its own header. Extended headers are ignored.

    Args:
        where: name of the tar in messages.

    Raises:
        DataError: a header is missing, or a member extends beyond `end` or is not a regular file.
    """
    while begin < end:
        try:
            header = file.read(begin, min(BLOCK, end - begin))
            if not any(header):
                return
            info = parse(header)
        except OSError as e:
            raise DataError(f'{where} cannot be read: {e.strerror}') from None
        except tarfile.HeaderError as e:
            raise DataError(f'{where} is damaged: no member begins at byte {begin:,} of the file ({e})') from None
        begin += BLOCK
        if not 0 <= info.size <= end - begin:
            raise DataError(f'{where} is damaged: its member {info.name!r} extends beyond the end of the tar')
        if info.type in FILES:
            yield Member(info.name, begin, info.size)
        elif info.type not in PAX_HEADERS:
            raise DataError(f'{where} is damaged: its member {info.name!r} is not a regular file')
        begin += -(-info.size // BLOCK) * BLOCK


def pictures(file: File, begin: int, end: int, where: str, pattern: str, bar: tqdm) -> list[Member]:
    """Lists the members of a tar of pictures as `members` does, but sorted by name, and checks them.

    Args:
        pattern: a regular expression that each name must match.
        bar: progress bar, updated once per member.

    Raises:
        DataError: as `members`; also if a name does not match or occurs twice, or a picture is empty or too large.
    """
    found = {}
    for member in members(file, begin, end, where):
        name = member.name
        if not re.fullmatch(pattern, name):
            raise DataError(f'{where} is damaged: its member {name!r} must have a name such as {pattern}')
        if name in found:
            raise DataError(f'{where} is damaged: it has two members {name!r}')
        if not 0 < member.size <= MOST_BYTES:
            raise DataError(f'{where} is damaged: its member {name!r} has {member.size:,} bytes')
        found[name] = member
        bar.update()
    return [member for _, member in sorted(found.items())]


def parse(header: bytes) -> tarfile.TarInfo:
    """Parses a member's header. Raises tarfile.HeaderError if the bytes are not a header."""
    return tarfile.TarInfo.frombuf(header, 'utf-8', 'backslashreplace')


@dataclass(frozen=True, eq=False)
class TarPictures:
    """The pictures of a tar, by index.

    Attributes:
        file: the tar.
        offsets: int64 [pictures], the position of each picture's first byte in the file.
        sizes: int32 [pictures], in bytes.
        labels: int32 [pictures].
    """

    file: File
    offsets: np.ndarray
    sizes: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> Picture:
        """Reads a picture. Raises DataError, which names it, if it cannot be read."""
        try:
            encoded = self.file.read(int(self.offsets[index]), int(self.sizes[index]))
        except OSError as e:
            raise DataError(f'{self.name(index)} cannot be read: {e.strerror}') from None
        return Picture(encoded, int(self.labels[index]))

    def name(self, index: int) -> str:
        """Name of a picture in messages: the tar and the member. If the header cannot be read, its byte offset."""
        offset = int(self.offsets[index])
        try:
            member = files.shown(parse(self.file.read(offset - BLOCK, BLOCK)).name)
        except (OSError, tarfile.HeaderError):
            member = f'the picture at byte {offset:,}'
        return f'{self.file.path.name}: {member}'
