"""The lock of a run folder: only one program at a time trains there. The system releases it when the program ends."""

import contextlib
import errno
import fcntl
import logging
import time
from collections.abc import Iterator
from pathlib import Path

from jax_resnet.errors import ConfigError
from jax_resnet.files import shown

_log = logging.getLogger(__name__)

SECONDS_TO_WAIT = 1.0
"""How many seconds a start waits for the lock, because `is_held` also takes it for a moment."""

_NO_LOCKS = (errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK)
"""Errors of a file system without locks."""


@contextlib.contextmanager
def held(folder: Path) -> Iterator[None]:
    """Holds the lock of a run folder. Raises ConfigError if another program trains in this folder."""
    end = time.monotonic() + SECONDS_TO_WAIT
    with (folder / 'lock').open('a') as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > end:
                    raise ConfigError(
                        f'{shown(folder)}: another program trains in this folder; wait, or give another folder by '
                        '--workdir'
                    ) from None
                time.sleep(0.02)
            except OSError as e:
                if e.errno not in _NO_LOCKS:
                    raise
                _log.warning('%s: this file system has no locks; use only one program at a time in this folder', folder)
                break
        yield


def is_held(folder: Path) -> bool:
    """Whether a program trains in a run folder. This writes nothing, and several callers do not disturb each other."""
    try:
        with (folder / 'lock').open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # there is no lock, or the file system has none
        pass
    return False
