"""Files that others may have made or changed: regular ones alone, whole or absent, and through no link."""

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path

from jax_resnet.errors import ConfigError


def cache_folder() -> Path:
    """`jax_resnet` in the folder that XDG_CACHE_HOME names, or in ~/.cache: decoded data and compiled programs."""
    return Path(os.environ.get('XDG_CACHE_HOME') or '~/.cache').expanduser() / 'jax_resnet'


def shown(path: str | Path) -> str:
    """A path for a message of one line: quoted where it has a newline, or another character that does not print."""
    text = str(path)
    return text if text.isprintable() else repr(text)


def open_file(path: Path, flags: int, follow: bool = False) -> int:
    """A descriptor of a regular file; a pipe or a device is not waited for.

    Args:
        path: of the file.
        flags: of `os.open`.
        follow: whether `path` may be a symbolic link.

    Raises:
        OSError: it cannot be opened, or is no regular file.
    """
    try:
        descriptor = os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW), 0o666)
    except OSError as e:
        if e.errno == errno.ELOOP and path.is_symlink():
            raise OSError(e.errno, 'a symbolic link, which is not followed', str(path)) from None
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, 'no regular file', str(path))
    return descriptor


def read(path: Path, follow: bool = False) -> bytes:
    """The content of a regular file. Raises OSError where there is none."""
    with os.fdopen(open_file(path, os.O_RDONLY, follow), 'rb') as file:
        return file.read()


def write(path: Path, content: bytes) -> None:
    """Writes a file that is whole, or as it was before: the content goes to another name first.

    Raises:
        OSError: it cannot be written.
    """
    draft = path.with_name(f'{path.name}.{os.getpid()}.draft')
    draft.unlink(missing_ok=True)  # somebody's link
    descriptor = open_file(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    try:
        with os.fdopen(descriptor, 'wb') as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError:
        with suppress(OSError):
            draft.unlink()
        raise


def append(path: Path, content: bytes) -> None:
    """Adds to a file; on disk when this returns. Raises OSError where that cannot be."""
    with os.fdopen(open_file(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND), 'ab') as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def subfolder(folder: Path, name: str) -> Path:
    """A folder in another, which may be missing. Raises ConfigError where it is a symbolic link."""
    path = folder / name
    if path.is_symlink():
        raise ConfigError(f'{shown(path)}: must be a folder; it is a symbolic link, which is not followed')
    return path
