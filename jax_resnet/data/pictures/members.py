"""The members of a tar that is read in place: where each lies, and pictures among them."""

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
"""Of a picture, whose size is an int32."""
PAX_HEADERS = (tarfile.XHDTYPE, tarfile.XGLTYPE)


@dataclass(frozen=True)
class File:
    """A file that any thread reads and, once pickled, any process: it is opened at the first read.

    Attributes:
        path: of the file, absolute.
        size: in bytes.
        modified: when it was last changed, in ns.
    """

    path: Path
    size: int
    modified: int

    @classmethod
    def of(cls, path: Path) -> Self:
        """The file as it is now. Raises OSError where there is none."""
        status = path.stat()
        return cls(path.absolute(), status.st_size, status.st_mtime_ns)

    def read(self, offset: int, size: int) -> bytes:
        """A part of the file. Raises OSError, whose `strerror` says why, where it cannot be read whole."""
        content = os.pread(self._descriptor(), size, offset)
        if len(content) != size:
            raise OSError(0, f'the file ends after {len(content):,} of {size:,} bytes')
        return content

    def _descriptor(self) -> int:
        if (descriptor := self.__dict__.get('descriptor')) is not None:
            return descriptor
        opened = files.open_file(self.path, os.O_RDONLY, follow=True)
        status = os.fstat(opened)
        if (status.st_size, status.st_mtime_ns) != (self.size, self.modified):
            os.close(opened)
            raise OSError(0, 'the file has changed meanwhile')
        descriptor = self.__dict__.setdefault('descriptor', opened)
        if descriptor == opened:
            weakref.finalize(self, os.close, opened)
        else:  # another thread was first
            os.close(opened)
        return descriptor

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != 'descriptor'}


class Member(NamedTuple):
    """A regular file in a tar: its name, and its first byte and number of bytes in the file that is the tar."""

    name: str
    offset: int
    size: int


def members(file: File, begin: int, end: int, where: str) -> Iterator[Member]:
    """The members of the tar that lies in a file from byte `begin` to before `end`; headers alone are read.

    A member's name and size are those of its own header. What an extended header says of them is not used.

    Args:
        where: what a message calls the tar.

    Raises:
        DataError: no header where one must be, a member that goes beyond `end` or is no regular file.
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
            raise DataError(f'{where} is damaged: its member {info.name!r} goes beyond its end')
        if info.type in FILES:
            yield Member(info.name, begin, info.size)
        elif info.type not in PAX_HEADERS:
            raise DataError(f'{where} is damaged: its member {info.name!r} is no regular file')
        begin += -(-info.size // BLOCK) * BLOCK


def pictures(file: File, begin: int, end: int, where: str, pattern: str, bar: tqdm) -> list[Member]:
    """The members of a tar of pictures, as `members` yields them, in the order of their names.

    Args:
        pattern: a regular expression that each name must match.
        bar: counts them.

    Raises:
        DataError: as `members`; also a name that does not match or is there twice, and a picture without bytes.
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
    """What a member's header says. Raises tarfile.HeaderError where it is none."""
    return tarfile.TarInfo.frombuf(header, 'utf-8', 'backslashreplace')


@dataclass(frozen=True, eq=False)
class TarPictures:
    """The pictures of a tar, by index.

    Attributes:
        file: the tar.
        offsets: int64 [pictures], the first byte of each in the file.
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
        """A picture. Raises DataError, which names it, where it cannot be read."""
        try:
            encoded = self.file.read(int(self.offsets[index]), int(self.sizes[index]))
        except OSError as e:
            raise DataError(f'{self.name(index)} cannot be read: {e.strerror}') from None
        return Picture(encoded, int(self.labels[index]))

    def name(self, index: int) -> str:
        """What a message calls a picture: the tar and the member, or the byte where its header cannot be read."""
        offset = int(self.offsets[index])
        try:
            member = files.shown(parse(self.file.read(offset - BLOCK, BLOCK)).name)
        except (OSError, tarfile.HeaderError):
            member = f'the picture at byte {offset:,}'
        return f'{self.file.path.name}: {member}'
