"""Reads and writes files safely: only regular files, and no partial files."""

import errno
import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path


def cache_folder() -> Path:
    """Returns the folder for decoded data and compiled programs: `jax_resnet` in XDG_CACHE_HOME, or in ~/.cache."""
    return Path(os.environ.get('XDG_CACHE_HOME') or '~/.cache').expanduser() / 'jax_resnet'


def shown(path: str | Path) -> str:
    """Returns a path for a message of one line. Paths with newlines or other unprintable characters are quoted."""
    text = str(path)
    return text if text.isprintable() else repr(text)


def open_file(path: Path, flags: int) -> int:
    """Opens a regular file and returns its descriptor. Never blocks on a pipe or a device.

    Args:
        path: path of the file.
        flags: flags for `os.open`.

    Raises:
        OSError: the file cannot be opened, or is not a regular file.
    """
    descriptor = os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC, 0o666)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, 'not a regular file', str(path))
    return descriptor


def read(path: Path) -> bytes:
    """Reads a regular file. Raises OSError if it does not exist or cannot be read."""
    with os.fdopen(open_file(path, os.O_RDONLY), 'rb') as file:
        return file.read()


def write(path: Path, content: bytes) -> None:
    """Writes a file whole or not at all, see `write_all`."""
    write_all({path: content})


def write_all(contents: Mapping[Path, bytes]) -> None:
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
            with os.fdopen(open_file(drafts[path], os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 'wb') as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        for path, draft in drafts.items():
            draft.replace(path)
    except OSError as e:
        e.filename = str(path)
        for draft in drafts.values():
            with suppress(OSError):
                draft.unlink()
        raise


def append(path: Path, content: bytes) -> None:
    """Appends to a file, and returns when the content is on disk. Raises OSError if it cannot be written."""
    with os.fdopen(open_file(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND), 'ab') as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
