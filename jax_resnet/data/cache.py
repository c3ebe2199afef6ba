"""Caches arrays on disk, so that the next start reads them in a fraction of a second."""

import logging
from collections.abc import Callable, Collection
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from jax_resnet import files
from jax_resnet.errors import reason

_log = logging.getLogger(__name__)

Arrays = dict[str, np.ndarray]


def path(key: str) -> Path:
    """The cache file of a key, in the user's cache folder."""
    return files.cache_folder() / f'{key}.safetensors'


def load(key: str, make: Callable[[], Arrays], names: Collection[str] = ()) -> Arrays:
    """Returns the arrays cached under `key`. If they are missing or unreadable, makes and caches them.

    If the cache cannot be written, logs a warning and returns the arrays anyway.

    Args:
        key: the name of the cache file, without its extension.
        make: makes all arrays.
        names: the arrays to return; by default all. Others are not read.
    """
    file = path(key)
    try:
        if file.exists():
            with safe_open(file, framework='numpy') as cached:
                return {name: cached.get_tensor(name) for name in names or cached.keys()}
    except (OSError, SafetensorError) as e:
        _log.warning('%s is damaged (%s); its content is computed again', file, reason(e))
    arrays = {name: np.ascontiguousarray(array) for name, array in make().items()}  # as safetensors needs them
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        files.write(file, save(arrays))
    except OSError as e:
        _log.warning('the data cannot be cached in %s, so the next start computes it again: %s', file.parent, e)
    return {name: arrays[name] for name in names or arrays}
