"""The lock of a run folder: one program trains there at a time. The system keeps it while that program runs."""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from jax_resnet import files
from jax_resnet.errors import ConfigError

PATIENCE = 1.0
"""Seconds that a start waits for the lock: `is_held` has it for a moment."""


@contextlib.contextmanager
def held(folder: Path) -> Iterator[None]:
    """Keeps other programs out of a run folder.

    Raises:
        ConfigError: another program trains here; or the lock is a link, or no file.
    """
    path, end = folder / 'lock', time.monotonic() + PATIENCE
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
                        f'{files.shown(folder)}: another program trains here; wait, or name another --workdir'
                    ) from None
                time.sleep(0.02)
        yield
    finally:
        os.close(descriptor)


def is_held(folder: Path) -> bool:
    """Whether a program trains in a run folder; nothing is written, and those who look do not see each other."""
    try:
        descriptor = files.open_file(folder / 'lock', os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # of a file system without locks
        return False
    finally:
        os.close(descriptor)
    return False
