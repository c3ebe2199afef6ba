"""The lock of a run folder: only one program at a time trains there. The system releases it when the program ends."""

import contextlib
import errno
import fcntl
import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path

from jax_resnet import files
from jax_resnet.errors import ConfigError

_log = logging.getLogger(__name__)

SECONDS_TO_WAIT = 1.0
"""How many seconds a start waits for the lock, because `is_held` also takes it for a moment."""


@contextlib.contextmanager
def held(folder: Path) -> Iterator[None]:
    """Holds the lock of a run folder, so that no other program trains there.

    Raises:
        ConfigError: another program trains in this folder; or the lock cannot be opened, for example as it is a link.
    """
    path, end = folder / 'lock', time.monotonic() + SECONDS_TO_WAIT
    try:
        descriptor = files.open_file(path, os.O_RDWR | os.O_CREAT)
    except OSError as e:
        raise ConfigError(f'{files.shown(path)}: cannot be locked ({e.strerror})') from None
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > end:
                    raise ConfigError(
                        f'{files.shown(folder)}: another program trains in this folder; wait, or give another '
                        'folder by --workdir'
                    ) from None
                time.sleep(0.02)
            except OSError as e:
                if e.errno not in (errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK):
                    raise
                _log.warning('%s: this file system has no locks; use only one program at a time in this folder', folder)
                break
        yield
    finally:
        os.close(descriptor)


def is_held(folder: Path) -> bool:
    """Whether a program trains in a run folder. This writes nothing, and several callers do not disturb each other."""
    try:
        descriptor = files.open_file(folder / 'lock', os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # the file system has no locks
        return False
    finally:
        os.close(descriptor)
    return False
