"""Decoded arrays on disk, so that a second start reads them in a fraction of a second."""

import logging
import os
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

_log = logging.getLogger(__name__)

Arrays = dict[str, np.ndarray]


def folder() -> Path:
    """Where cached arrays lie: `jax_resnet` in XDG_CACHE_HOME, or in ~/.cache."""
    return Path(os.environ.get('XDG_CACHE_HOME') or '~/.cache').expanduser() / 'jax_resnet'


def load(key: str, make: Callable[[], Arrays]) -> Arrays:
    """The arrays cached under `key`; made and cached where they are missing or damaged.

    A cache that cannot be written costs time, not the run: it is said, and the arrays are returned.
    """
    path = folder() / f'{key}.npz'
    try:
        with path.open('rb') as file, np.load(file, allow_pickle=False) as arrays:
            return dict(arrays)
    except FileNotFoundError:
        pass
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as e:
        _log.warning('%s is damaged and made anew: %s', path, e)
    arrays = make()
    try:
        _write(path, arrays)
    except OSError as e:
        _log.warning('the decoded data cannot be cached in %s, so the next start decodes again: %s', path.parent, e)
    return arrays


def _write(path: Path, arrays: Arrays) -> None:
    """Writes the whole file under another name first, so that a reader never sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, draft = tempfile.mkstemp(dir=path.parent, suffix='.draft')
    try:
        with os.fdopen(handle, 'wb') as file:
            np.savez(file, allow_pickle=False, **arrays)
        Path(draft).replace(path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise
