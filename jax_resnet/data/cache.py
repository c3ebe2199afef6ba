"""Decoded arrays on disk, so that a second start reads them in a fraction of a second.

A file says in its header which arrays it holds, and their digest: one that is damaged, or that another name was given
to, is found out and made anew.
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


def load(key: str, make: Callable[[], Arrays]) -> Arrays:
    """The arrays cached under `key`; made and cached where they are missing, damaged or of another key.

    A cache that cannot be written costs time, not the run: it is said, and the arrays are returned.
    """
    path = files.cache_folder() / f'{key}.safetensors'
    try:
        return _read(path, key)
    except FileNotFoundError:
        pass
    except (OSError, ValueError, SafetensorError) as e:
        _log.warning('%s is damaged and made anew: %s', path, ' '.join(str(e).split()))
    arrays = make()
    about = {'key': key, 'sha256': _digest(arrays)}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write(path, save(arrays, metadata=about))
        path.with_suffix('.npz').unlink(missing_ok=True)  # of an earlier version
    except OSError as e:
        _log.warning('the decoded data cannot be cached in %s, so the next start decodes again: %s', path.parent, e)
    return arrays


def _read(path: Path, key: str) -> Arrays:
    if not path.is_file():
        raise FileNotFoundError(path)
    with safe_open(path, framework='numpy') as file:
        about = file.metadata() or {}
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  it is no mapping
    if about.get('key') != key:
        raise ValueError(f'it holds {about.get("key")!r}')
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
