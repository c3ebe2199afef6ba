"""Files of weights: named arrays of this package or of PyTorch, in .safetensors or .npz.

The header of a .safetensors file may describe its network. A file of this package may have a card: a JSON file of the
same name, which describes the network and its training. A file and its card can be used like a run folder. Such a file
also holds the arrays of the normalization.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from msgspec import to_builtins

from jax_resnet import files
from jax_resnet.config.fields import Config, NetworkFields
from jax_resnet.errors import ConfigError, DataError
from jax_resnet.files import shown
from jax_resnet.runs import arrays, outputs, schemas
from jax_resnet.runs.outputs import Preprocessing
from jax_resnet.runs.parsing import parse
from jax_resnet.runs.results_folder import as_text

SUFFIXES = ('.safetensors', '.npz')

NORMALIZATION = 'normalization/'
"""The names of the arrays of the normalization begin with this."""

NETWORK = ('fields', 'image_shape', 'test_crop', 'class_names', 'sha256')
"""Fields of a card that define what the numbers of the file mean. `network_sha256` is their digest."""


METADATA = 'jax_resnet.network'
"""The name under which the header of a .safetensors file describes its network."""


def read(path: str | Path) -> dict[str, np.ndarray]:
    """Returns the arrays of a file, by name. Raises DataError if it has none of SUFFIXES, or cannot be read."""
    return _read(Path(path))[0]


def network_in(path: str | Path) -> Config | NetworkFields | None:
    """Returns the description of a file's network, from its card or its header, or None if there is neither.

    Returns:
        The config of the card, or the groups of a config in the header.

    Raises:
        ConfigError, DataError: the file or its card cannot be read, or the card belongs to other weights.
    """
    path = Path(path)
    if card_of(path).exists():
        return read_with_card(path)[0]
    _, content = _read(path)
    text = arrays.metadata_of(content).get(METADATA) if path.suffix == '.safetensors' else None
    if text is None:
        return None
    found: NetworkFields = parse(text.encode(), NetworkFields, f'{shown(path)}: {METADATA} in its header')
    return found


def is_file(path: str | Path) -> bool:
    """Whether a path means a file of weights, not a run folder."""
    return Path(path).suffix in SUFFIXES and not Path(path).is_dir()


def card_of(path: str | Path) -> Path:
    """Returns the path of the card of a file of weights."""
    return Path(path).with_suffix('.json')


def write_with_card(
    path: str | Path,
    weights: Mapping[str, np.ndarray],
    preprocessing: Preprocessing,
    about: Mapping[str, Any],
    replace: bool = False,
) -> Path:
    """Writes a trained network: a file of weights and its card.

    Args:
        path: the path of the file of weights.
        weights: the unstacked variables, by names such as 'params/stem/conv/kernel'. They are written as float32.
        preprocessing: what the network's input and output mean.
        about: further fields of the card; at least those of config.json: `file`, `changes` and `fields`.
        replace: whether to overwrite other weights at this path.

    Returns:
        The path of the card.

    Raises:
        DataError: a file cannot be written; or other weights are there, and `replace` is False.
    """
    mean, std, crop, image_shape, class_names = preprocessing
    path = Path(path)
    named = {name: np.asarray(array, np.float32) for name, array in weights.items()}
    content = _content(path, {**named, f'{NORMALIZATION}mean': mean, f'{NORMALIZATION}std': std})
    card = {
        **about,
        'image_shape': list(image_shape),
        'test_crop': crop,
        'class_names': list(class_names),
        'sha256': hashlib.sha256(content).hexdigest(),
    }
    text = as_text({**card, 'network_sha256': network_digest(card)}).encode()
    try:
        if not replace and (path.exists() or card_of(path).exists()):
            if files.read(path) == content and files.read(card_of(path)) == text:
                return card_of(path)
            raise DataError(f'{shown(path)}: already has other weights; --replace overwrites them')
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write_all({path: content, card_of(path): text})
    except OSError as e:
        raise DataError(f'{shown(path)}: cannot be written ({e.strerror})') from None
    return card_of(path)


def read_with_card(path: str | Path) -> tuple[Config, dict[str, np.ndarray], Preprocessing]:
    """Reads what `write_with_card` wrote. Returns the config, the weights by name, and the preprocessing.

    Raises:
        ConfigError, DataError: the file or card is missing or damaged, or the card belongs to other weights.
    """
    path = Path(path)
    named, content = _read(path)
    card_path = card_of(path)
    if not card_path.exists():
        raise DataError(
            f'{shown(path)}: its card, {card_path.name}, is missing in the same folder; add it, or give a config by '
            '--config=FILE'
        )
    card = read_card(card_path)
    if card['sha256'] != hashlib.sha256(content).hexdigest():
        raise DataError(
            f'{shown(path)}: is damaged, or is not the file of {card_path.name}, whose sha256 is {card["sha256"]}'
        )
    try:
        mean, std = (named.pop(f'{NORMALIZATION}{name}') for name in ('mean', 'std'))
        about = outputs.checked(mean, std, card['test_crop'], card['image_shape'], card['class_names'])
    except KeyError as e:
        raise DataError(f'{shown(path)}: has no {e}') from None
    except (ValueError, TypeError) as e:
        raise DataError(f'{shown(card_path)} is damaged: {e}') from None
    return card['fields'], named, about


def read_card(path: Path) -> dict[str, Any]:
    """Reads a card, see `schemas.Card`, and verifies the digest of its fields NETWORK.

    Raises:
        ConfigError: the card cannot be read, or is damaged.
    """
    try:
        content = files.read(path, follow=True)
    except OSError as e:
        raise ConfigError(f'{shown(path)} cannot be read ({e.strerror})') from None
    card: dict[str, Any] = parse(content, schemas.Card, shown(path))
    if card['network_sha256'] != network_digest(json.loads(content)):
        raise ConfigError(f'{shown(path)} is damaged: {", ".join(NETWORK)} are not what was written: wrong SHA-256')
    return card


def network_digest(card: Mapping[str, Any]) -> str:
    """Returns the SHA-256 of the fields NETWORK of a card, as JSON with sorted names."""
    text = json.dumps({name: card[name] for name in NETWORK}, sort_keys=True, allow_nan=False, default=to_builtins)
    return hashlib.sha256(text.encode()).hexdigest()


def write(path: str | Path, weights: Mapping[str, np.ndarray], network: Config | NetworkFields | None = None) -> None:
    """Writes named arrays, in the format of the path's suffix.

    Args:
        path: the path of the file.
        weights: the arrays, by name.
        network: a config. Its groups of NetworkFields are written to the header of a .safetensors file.

    Raises:
        DataError: the path has none of SUFFIXES, or the file cannot be written.
    """
    path = Path(path)
    content = _content(path, weights, network)
    try:
        files.write(path, content)
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


def _read(path: Path) -> tuple[dict[str, np.ndarray], bytes]:
    """Returns the arrays of a file, and its bytes."""
    _check_suffix(path)
    try:
        content = files.read(path, follow=True)
        named = (arrays.from_safetensors if path.suffix == '.safetensors' else arrays.from_npz)(content)
    except (OSError, ValueError, MemoryError) as e:
        reason = e.strerror if isinstance(e, OSError) else e
        raise DataError(f'{shown(path)}: cannot be read as weights ({reason})') from None
    if not named:
        raise DataError(f'{shown(path)}: must have arrays; it has none')
    return named, content


def _content(path: Path, weights: Mapping[str, np.ndarray], network: Config | NetworkFields | None = None) -> bytes:
    _check_suffix(path)
    if path.suffix == '.safetensors':
        if network is None:
            return arrays.as_safetensors(weights, None)
        fields = {name: to_builtins(getattr(network, name)) for name in NetworkFields.__struct_fields__}
        return arrays.as_safetensors(weights, {METADATA: json.dumps(fields, sort_keys=True)})
    return arrays.as_npz(weights, compressed=False)


def _check_suffix(path: Path) -> None:
    if path.suffix not in SUFFIXES:
        raise DataError(f'{shown(path)}: must end in {" or ".join(SUFFIXES)}')
