"""Files of weights: arrays by name, ours or PyTorch's, in .safetensors or .npz. Nothing is ever unpickled."""

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from flax.traverse_util import unflatten_dict
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from jax_resnet import models
from jax_resnet.errors import DataError

SUFFIXES = ('.safetensors', '.npz')


def read(path: str | Path) -> dict[str, np.ndarray]:
    """The arrays of a file, by name. Raises DataError where it is none of SUFFIXES, or cannot be read."""
    path = _with_known_suffix(path)
    try:
        if path.suffix == '.safetensors':
            arrays = dict(load_file(path))
        else:
            with path.open('rb') as file, np.load(file, allow_pickle=False) as loaded:
                arrays = dict(loaded)
    except (OSError, ValueError, EOFError, AttributeError, zipfile.BadZipFile, SafetensorError) as e:
        raise DataError(f'{path}: cannot be read as weights ({" ".join(str(e).split())})') from None
    if not arrays:
        raise DataError(f'{path}: must hold weights; it has none')
    return arrays


def read_variables(path: str | Path) -> dict[str, Any]:
    """Our variables, unstacked, of a file with our names or PyTorch's. Raises DataError for other names too."""
    tensors = read(path)
    try:
        is_ours = all(name.startswith(('params/', 'batch_stats/')) for name in tensors)
        return unflatten_dict(tensors, sep='/') if is_ours else models.from_pytorch(tensors)
    except (IndexError, TypeError, ValueError) as e:  # ValueError, but where one name is the folder of another
        raise DataError(f'{path}: {e}') from None


def write(path: str | Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Writes arrays by name, as the path's suffix says. Raises DataError where that cannot be."""
    path = _with_known_suffix(path)
    try:
        if path.suffix == '.safetensors':
            save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, path)
        else:
            np.savez(path, allow_pickle=False, **arrays)
    except (OSError, SafetensorError) as e:
        raise DataError(f'{path}: cannot be written ({e})') from None


def _with_known_suffix(path: str | Path) -> Path:
    path = Path(path)
    if path.suffix not in SUFFIXES:
        raise DataError(f'{path}: must end in {" or ".join(SUFFIXES)}')
    return path
