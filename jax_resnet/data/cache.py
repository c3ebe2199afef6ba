"""Caches decoded arrays on disk, so that the next start reads them in a fraction of a second.

The header of a cache file has its key and a digest of its arrays. So `load` detects a damaged or renamed file, and
makes the arrays again.
"""

import hashlib
import json
import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from jax_resnet import files

_log = logging.getLogger(__name__)

Arrays = dict[str, np.ndarray]


def load(key: str, make: Callable[[], Arrays], folder: Path | None = None) -> Arrays:
    """Returns the arrays cached under `key`. If they are missing, damaged or of another key, makes and caches them.

    If the cache cannot be written, logs a warning and returns the arrays anyway.

    Args:
        key: the name of the cache file, without its extension.
        make: makes the arrays.
        folder: the folder of the cache file; None means the user's cache folder.
    """
    path = (folder or files.cache_folder()) / f'{key}.safetensors'
    try:
        return _read(path, key)
    except FileNotFoundError:
        pass
    except (OSError, ValueError, SafetensorError) as e:
        _log.warning('%s is damaged (%s); its content is computed again', path, ' '.join(str(e).split()))
    arrays = {name: np.ascontiguousarray(array) for name, array in make().items()}  # as safetensors needs them
    about = {'key': key, 'sha256': _digest(arrays)}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write(path, save(arrays, metadata=about))
    except OSError as e:
        _log.warning('the data cannot be cached in %s, so the next start computes it again: %s', path.parent, e)
    return arrays


def _read(path: Path, key: str) -> Arrays:
    if not path.is_file():
        raise FileNotFoundError(path)
    with safe_open(path, framework='numpy') as file:
        about = file.metadata() or {}
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  it is not a mapping
    if about.get('key') != key:
        raise ValueError(f'its key is {about.get("key")!r}; must be {key!r}')
    if about.get('sha256') != _digest(arrays):
        raise ValueError('its content is not what was written: wrong SHA-256')
    return arrays


def _digest(arrays: Arrays) -> str:
    """SHA-256 of the arrays' names, types, shapes and bytes."""
    digest = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        digest.update(json.dumps([name, str(array.dtype), array.shape]).encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
