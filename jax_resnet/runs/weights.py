"""Files of weights: named arrays of this package or of PyTorch, in .safetensors or .npz.

The header of a .safetensors file may describe its network. A file of this package may have a card: a JSON file of the
same name, which describes the network and its training. A file and its card can be used like a run folder. Such a file
also holds the arrays of the normalization.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from msgspec import to_builtins

from jax_resnet import files
from jax_resnet.config.fields import Config, NetworkFields
from jax_resnet.errors import DataError
from jax_resnet.files import shown
from jax_resnet.runs import arrays, schemas
from jax_resnet.runs.outputs import Preprocessing
from jax_resnet.runs.results_folder import as_text

SUFFIXES = ('.safetensors', '.npz')

PICKLES = ('.pth', '.th', '.pt', '.bin')
"""Suffixes of PyTorch's files, which can run code and are not read."""

NORMALIZATION = 'normalization/'
"""The names of the arrays of the normalization begin with this."""

METADATA = 'jax_resnet.network'
"""The name under which the header of a .safetensors file describes its network."""


class Weights(NamedTuple):
    """What a file of weights holds.

    Attributes:
        path: the path of the file.
        arrays: its arrays by name.
        network: the config of its card, or the groups of a config in its header; None if there is neither.
        preprocessing: what the network's input and output mean; None if there is no card.
    """

    path: Path
    arrays: dict[str, np.ndarray]
    network: Config | NetworkFields | None
    preprocessing: Preprocessing | None


def is_file(path: str | Path) -> bool:
    """Whether a path means a file of weights, not a run folder."""
    return Path(path).suffix in SUFFIXES + PICKLES and not Path(path).is_dir()


def card_of(path: str | Path) -> Path:
    """Returns the path of the card of a file of weights."""
    return Path(path).with_suffix('.json')


def read(path: str | Path) -> Weights:
    """Reads a file of weights, and its card if it has one.

    Raises:
        ConfigError, DataError: the file or its card cannot be read, or the card belongs to other weights.
    """
    path = Path(path)
    _check_suffix(path)
    is_npz = path.suffix == '.npz'
    try:
        content = files.read(path)
        named = arrays.from_npz(content) if is_npz else arrays.from_safetensors(content)
    except (OSError, ValueError, MemoryError) as e:
        reason = e.strerror if isinstance(e, OSError) else e
        raise DataError(f'{shown(path)}: cannot be read as weights ({reason})') from None
    weights = {name: array for name, array in named.items() if not name.startswith(NORMALIZATION)}
    if not weights:
        raise DataError(f'{shown(path)}: must have arrays; it has none')
    if card_of(path).exists():
        card = schemas.read(card_of(path), schemas.Card)
        if card['sha256'] != hashlib.sha256(content).hexdigest():
            raise DataError(f'{shown(path)}: is damaged, or is not the file of {card_of(path).name}: wrong SHA-256')
        mean, std = (named[f'{NORMALIZATION}{name}'] for name in ('mean', 'std'))
        about = Preprocessing(mean, std, card['test_crop'], card['image_shape'], card['class_names'])
        return Weights(path, weights, card['fields'], about)
    text = None if is_npz else arrays.metadata_of(content).get(METADATA)
    where = f'{shown(path)}: {METADATA} in its header'
    return Weights(path, weights, None if text is None else schemas.parse(text.encode(), NetworkFields, where), None)


def write(
    path: str | Path,
    weights: Mapping[str, np.ndarray],
    network: Config | NetworkFields | None = None,
    card: tuple[Preprocessing, Mapping[str, Any]] | None = None,
    replace: bool = True,
) -> None:
    """Writes a file of weights, in the format of the path's suffix.

    Args:
        path: the path of the file.
        weights: the arrays by name. Of a file with a card, the unstacked variables, by names such as
            'params/stem/conv/kernel'; they are written as float32.
        network: its groups of NetworkFields are written to the header of a .safetensors file.
        card: for a card, what the network's input and output mean, and the further fields: at least those of
            config.json, `file`, `changes` and `fields`.
        replace: whether to overwrite other weights at this path.

    Raises:
        DataError: the path has none of SUFFIXES; a file cannot be written; or other weights are there.
    """
    path = Path(path)
    _check_suffix(path)
    header = {}
    if network is not None:
        fields = {name: to_builtins(getattr(network, name)) for name in NetworkFields.__struct_fields__}
        header = {METADATA: json.dumps(fields, sort_keys=True)}
    if card is not None:
        (mean, std, crop, image_shape, class_names), about = card
        weights = {name: np.asarray(array, np.float32) for name, array in weights.items()}
        weights |= {f'{NORMALIZATION}mean': mean, f'{NORMALIZATION}std': std}
    is_npz = path.suffix == '.npz'
    contents = {path: arrays.as_npz(weights, False) if is_npz else arrays.as_safetensors(weights, header)}
    if card is not None:
        inputs = {'image_shape': list(image_shape), 'test_crop': crop, 'class_names': list(class_names)}
        text = as_text({**about, **inputs, 'sha256': hashlib.sha256(contents[path]).hexdigest()})
        contents[card_of(path)] = text.encode()
    try:
        there = {path: files.read(path) for path in contents if path.exists()}
        if there and there != contents and not replace:
            raise DataError(f'{shown(path)}: already has other weights; --replace overwrites them')
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write_all(contents)
    except OSError as e:
        raise DataError(f'{shown(path)}: cannot be written ({e.strerror})') from None


def check_sound(path: str | Path, named: Mapping[str, np.ndarray]) -> None:
    """Checks the weights of a file or a run, named as by this package or by PyTorch.

    Raises:
        DataError: an array, as float32, has NaN or infinite numbers, or is a variance with negative numbers. The
            message names the first such array.
    """
    for name, array in named.items():
        with np.errstate(over='ignore'):
            numbers = np.asarray(array, np.float32)
        if not np.isfinite(numbers).all():
            raise DataError(f'{shown(path)}: {name} has NaN or infinite numbers; weights must be finite')
        if name.endswith('var') and (numbers < 0).any():
            raise DataError(f'{shown(path)}: {name} has negative numbers; a variance must be 0 or more')


def _check_suffix(path: Path) -> None:
    if path.suffix not in SUFFIXES:
        advice = '; scripts/pth_to_safetensors.py converts a file of PyTorch' if path.suffix in PICKLES else ''
        raise DataError(f'{shown(path)}: must end in {" or ".join(SUFFIXES)}{advice}')
