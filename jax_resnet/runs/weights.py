"""Files of weights: named arrays, of this package or of PyTorch, in the format safetensors.

The header of a file may have a card, which describes the network and its training. With the card, and the arrays of the
normalization, a file can be used like a run folder.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
from safetensors import safe_open
from safetensors.numpy import save

from jax_resnet import files
from jax_resnet.config.fields import Config, own_parts
from jax_resnet.errors import DataError, reason
from jax_resnet.runs import schemas
from jax_resnet.runs.outputs import Preprocessing
from jax_resnet.runs.schemas import Card

SUFFIX = '.safetensors'

PICKLES = ('.pth', '.th', '.pt', '.bin')
"""Suffixes of PyTorch's files, which can run code and are not read."""

CARD = 'jax_resnet'
"""The name of the card in the header."""

NORMALIZATION = 'normalization/'
"""The names of the arrays of the normalization begin with this."""


class Weights(NamedTuple):
    """What a file of weights holds.

    Attributes:
        path: the path of the file.
        arrays: its arrays by name.
        network: the config in its card; None if it has no card, or one with own parts.
        preprocessing: what the network's input and output mean; None if the file does not say it.
        card: its card, or None.
    """

    path: Path
    arrays: dict[str, np.ndarray]
    network: Config | None
    preprocessing: Preprocessing | None
    card: Card | None = None


def is_file(path: str | Path) -> bool:
    """Whether a path means a file of weights, perhaps of a format that is not read; not a run folder."""
    return Path(path).suffix in (SUFFIX, '.npz', *PICKLES) and not files.local(path).is_dir()


def read(path: str | Path) -> Weights:
    """Reads a file of weights.

    Raises:
        ConfigError, DataError: the file or its card cannot be read, or the file has changed since it was written.
    """
    path = files.local(path)
    _check_suffix(path)
    try:
        with safe_open(path, framework='numpy') as file:
            header, named = file.metadata() or {}, {name: file.get_tensor(name) for name in [*file.keys()]}
    except Exception as e:  # safetensors raises many types of exception
        raise DataError(f'{path}: cannot be read as weights ({reason(e)})') from None
    arrays = {name: array for name, array in named.items() if not name.startswith(NORMALIZATION)}
    if not arrays:
        raise DataError(f'{path}: must have arrays; it has none')
    if CARD not in header:
        return Weights(path, arrays, None, None)
    card: Card = schemas.parse(header[CARD].encode(), Card, f'{path}: the card in its header')
    if header.get('sha256') != _digest(header[CARD], named):
        raise DataError(f'{path}: is damaged: wrong SHA-256')
    if own_parts(card['fields']):  # nothing in a file of weights chooses code to import
        return Weights(path, arrays, None, None, card)
    preprocessing = None
    if 'class_names' in card:
        mean, std = (named[f'{NORMALIZATION}{name}'] for name in ('mean', 'std'))
        preprocessing = Preprocessing(mean, std, card['test_crop'], card['image_shape'], card['class_names'])
    return Weights(path, arrays, card['fields'], preprocessing, card)


def write(
    path: str | Path,
    arrays: Mapping[str, np.ndarray],
    card: Mapping[str, Any] | None = None,
    preprocessing: Preprocessing | None = None,
) -> None:
    """Writes a file of weights.

    Args:
        path: the path of the file.
        arrays: the arrays by name; unstacked variables have names such as 'params/stem/conv/kernel'.
        card: the fields of `schemas.Card`, at least those of config.json; None if the network is not known.
        preprocessing: what the network's input and output mean, for the card.

    Raises:
        DataError: the path has another suffix, or the file cannot be written.
    """
    path = files.local(path)
    _check_suffix(path)
    header, named = {}, {name: np.asarray(array, order='C') for name, array in arrays.items()}
    if preprocessing is not None:
        mean, std, crop, image_shape, class_names = preprocessing
        named |= {f'{NORMALIZATION}mean': np.asarray(mean), f'{NORMALIZATION}std': np.asarray(std)}
        card = {**(card or {}), 'image_shape': image_shape, 'test_crop': crop, 'class_names': class_names}
    if card is not None:
        encoded = msgspec.json.encode(card).decode()
        header = {CARD: encoded, 'sha256': _digest(encoded, named)}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write({path: save(named, header or None)})
    except OSError as e:
        raise DataError(f'{path}: cannot be written ({reason(e)})') from None


def _digest(card: str, arrays: Mapping[str, np.ndarray]) -> str:
    digest = hashlib.sha256(card.encode())
    for name, array in sorted(arrays.items()):
        digest.update(f'{name} {array.dtype} {array.shape} '.encode() + array.tobytes())
    return digest.hexdigest()


def _check_suffix(path: Path) -> None:
    if path.suffix != SUFFIX:
        advice = '; scripts/pth_to_safetensors.py converts a file of PyTorch' if path.suffix in PICKLES else ''
        raise DataError(f'{path}: must end in {SUFFIX}{advice}')
