"""Caches arrays on disk, so that the next start reads them in a fraction of a second.

The header of a cache file has a digest of each array. So `load` detects a damaged file, and makes the arrays again.
"""

import hashlib
import json
import logging
from collections.abc import Callable, Collection
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from jax_resnet import files

_log = logging.getLogger(__name__)

Arrays = dict[str, np.ndarray]


def path(key: str) -> Path:
    """The cache file of a key, in the user's cache folder."""
    return files.cache_folder() / f'{key}.safetensors'


def load(key: str, make: Callable[[], Arrays], names: Collection[str] = ()) -> Arrays:
    """Returns the arrays cached under `key`. If they are missing or damaged, makes and caches them.

    If the cache cannot be written, logs a warning and returns the arrays anyway.

    Args:
        key: the name of the cache file, without its extension.
        make: makes all arrays.
        names: the arrays to return; by default all. Others are not read.
    """
    file = path(key)
    try:
        if file.exists():
            return _read(file, names)
    except (OSError, ValueError, SafetensorError) as e:
        _log.warning('%s is damaged (%s); its content is computed again', file, ' '.join(str(e).split()))
    arrays = {name: np.ascontiguousarray(array) for name, array in make().items()}  # as safetensors needs them
    about = {name: _digest(array) for name, array in arrays.items()}
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        files.write(file, save(arrays, metadata=about))
    except OSError as e:
        _log.warning('the data cannot be cached in %s, so the next start computes it again: %s', file.parent, e)
    return {name: arrays[name] for name in names or arrays}


def _read(path: Path, names: Collection[str]) -> Arrays:
    with safe_open(path, framework='numpy') as file:
        about = file.metadata() or {}
        arrays = {name: file.get_tensor(name) for name in names or file.keys()}
    for name, array in arrays.items():
        if about.get(name) != _digest(array):
            raise ValueError(f'its array {name!r} is not what was written: wrong SHA-256')
    return arrays


def _digest(array: np.ndarray) -> str:
    """SHA-256 of an array's type, shape and bytes."""
    digest = hashlib.sha256(json.dumps([str(array.dtype), array.shape]).encode())
    digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
