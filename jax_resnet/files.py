"""Paths that a person means, files that are written whole or not at all, and standard streams that never fail."""

import contextlib
import errno
import os
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from jax_resnet.errors import ConfigError


def cache_folder() -> Path:
    """Returns the folder for decoded data and compiled programs: `jax_resnet` in XDG_CACHE_HOME, or in ~/.cache."""
    return Path(os.environ.get('XDG_CACHE_HOME') or '~/.cache').expanduser() / 'jax_resnet'


def local(path: str | Path) -> Path:
    """The path that a person means, where `~` is the home folder.

    Raises:
        ConfigError: it is an address, such as gs://bucket/run.
    """
    if re.match('[a-z][a-z0-9+.-]+:/', str(path)):
        raise ConfigError(f'{path}: must be a path on this machine, not an address; mount or copy what is there')
    return Path(os.path.expanduser(path))  # noqa: PTH111 - which fails for a name that is no user's


def write(contents: Mapping[Path, bytes]) -> None:
    """Writes files whole or not at all: writes the contents to drafts, and then renames all drafts.

    Args:
        contents: the content of each file, by its path. A link at a path is replaced, not followed.

    Raises:
        OSError: a file cannot be written, or is a folder or device. All old files are then unchanged.
    """
    drafts = {path: path.with_name(f'{path.name}.{os.getpid()}.draft') for path in contents}
    try:
        for path, content in contents.items():
            if path.exists() and not path.is_file():
                raise OSError(errno.EINVAL, 'not a regular file')
            with drafts[path].open('wb') as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        for path, draft in drafts.items():
            draft.replace(path)
    except OSError as e:
        e.filename = str(path)
        for draft in drafts.values():
            with contextlib.suppress(OSError):
                draft.unlink()
        raise


def append(path: Path, content: bytes) -> None:
    """Appends to a file, and returns when the content is on disk. Raises OSError if it cannot be written."""
    with path.open('ab') as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


class Stream:
    """A stream to which one can always write: if it is closed, or nobody reads it any more, the output is dropped.

    Args:
        stream: a file, an object with the method `write`, or None.
    """

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__['_stream'], name)

    def write(self, string: str) -> int:
        """Writes a string, and returns its length."""
        self._do('write', string)
        return len(string)

    def flush(self) -> None:
        """Writes what is buffered."""
        self._do('flush')

    def isatty(self) -> bool:
        """Whether the stream is a terminal."""
        return bool(self._do('isatty'))

    def _do(self, name: str, *arguments: str) -> Any:
        if self._stream is None or getattr(self._stream, 'closed', False):
            return None
        try:
            return getattr(self._stream, name, lambda: None)(*arguments)
        except OSError as e:  # what is buffered would fail again at exit
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())
            if not isinstance(e, BrokenPipeError):  # its reader, such as head, has ended
                raise


@contextlib.contextmanager
def safe_streams() -> Iterator[None]:
    """A context in which stdout and stderr are such a `Stream`, and their descriptors are no other files."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:  # `>&-` closes it, and the next file to be opened would get its number
            os.open(os.devnull, os.O_RDWR)
    with contextlib.ExitStack() as stack:
        for name in ('stdout', 'stderr'):
            stream = getattr(sys, name)
            if not isinstance(stream, Stream):  # else another thread is in this context
                setattr(sys, name, Stream(stream))
                stack.callback(setattr, sys, name, stream)
        yield
