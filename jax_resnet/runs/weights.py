"""Files of weights: arrays by name, ours or PyTorch's, in .safetensors or .npz. Nothing is ever unpickled.

A file of ours may have a card beside it, JSON of the same name, which says what network it is and how it was trained;
the two are a trained network, as a run folder is. The file then holds the normalization's arrays, too.
"""

import hashlib
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from jax_resnet import models
from jax_resnet.config.identity import checked
from jax_resnet.data.preprocessing import CentreView, Normalization
from jax_resnet.errors import ConfigError, DataError
from jax_resnet.runs.results_folder import as_text
from jax_resnet.runs.run_folder import Preprocessing

SUFFIXES = ('.safetensors', '.npz')

NORMALIZATION = 'normalization/'
"""What the names of its arrays begin with."""


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
    tensors = {name: array for name, array in read(path).items() if not name.startswith(NORMALIZATION)}
    try:
        is_ours = all(name.startswith(('params/', 'batch_stats/')) for name in tensors)
        return unflatten_dict(tensors, sep='/') if is_ours else models.from_pytorch(tensors)
    except (IndexError, TypeError, ValueError) as e:  # ValueError, but where one name is the folder of another
        raise DataError(f'{path}: {e}') from None


def is_file(path: str | Path) -> bool:
    """Whether a path is meant as a file of weights, rather than as a run folder."""
    return Path(path).suffix in SUFFIXES and not Path(path).is_dir()


def write_with_card(
    path: str | Path, variables: Mapping[str, Any], preprocessing: Preprocessing, about: Mapping[str, Any]
) -> Path:
    """Writes a trained network: a file of weights, and its card.

    Args:
        path: of the file of weights.
        variables: unstacked; they are written as float32.
        preprocessing: what the network's input and output mean.
        about: of the card; at least the `config` of the run.

    Returns:
        The path of the card.

    Raises:
        DataError: a file that cannot be written.
    """
    (normalize, crop), image_shape, class_names = preprocessing
    path = Path(path)
    arrays = {name: np.asarray(array, np.float32) for name, array in flatten_dict(variables, sep='/').items()}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise DataError(f'{path}: cannot be written ({e})') from None
    write(path, {**arrays, f'{NORMALIZATION}mean': normalize.mean, f'{NORMALIZATION}std': normalize.std})
    card = {
        **about,
        'image_shape': image_shape,
        'test_crop': crop,
        'class_names': class_names,
        'sha256': hashlib.sha256(path.read_bytes()).hexdigest(),
    }
    card_path = path.with_suffix('.json')
    card_path.write_text(as_text(card))
    return card_path


def read_with_card(path: str | Path) -> tuple[dict[str, Any], dict[str, Any], Preprocessing]:
    """What `write_with_card` wrote: the config, the variables, unstacked, and the preprocessing.

    Raises:
        ConfigError, DataError: no such file or card, a damaged one, or a card of other weights.
    """
    arrays = read(path)
    variables = read_variables(path)
    card_path = Path(path).with_suffix('.json')
    try:
        card = json.loads(card_path.read_text())
        config = checked(card['config'], card_path)
        height, width, channels = map(int, card['image_shape'])
        names, crop, digest = tuple(map(str, card['class_names'])), int(card['test_crop']), card['sha256']
    except FileNotFoundError:
        raise DataError(f'{path}: needs its card, {card_path.name}, beside it') from None
    except ConfigError:
        raise
    except (OSError, ValueError, KeyError, TypeError) as e:
        raise DataError(f'{card_path}: is damaged ({type(e).__name__}: {e})') from None
    if digest != hashlib.sha256(Path(path).read_bytes()).hexdigest():
        raise DataError(f'{path}: is damaged, or not the file of {card_path.name}, which says sha256 {digest}')
    try:
        normalize = Normalization(arrays[f'{NORMALIZATION}mean'], arrays[f'{NORMALIZATION}std'])
    except KeyError as e:
        raise DataError(f'{path}: has no {e}') from None
    return config, variables, Preprocessing(CentreView(normalize, crop), (height, width, channels), names)


def write(path: str | Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Writes arrays by name, as the path's suffix says. Raises DataError where that cannot be."""
    path = _with_known_suffix(path)
    try:
        if path.suffix == '.safetensors':
            save_file({name: np.asarray(array, order='C') for name, array in arrays.items()}, path)
        else:
            np.savez(path, allow_pickle=False, **arrays)
    except (OSError, SafetensorError) as e:
        raise DataError(f'{path}: cannot be written ({e})') from None


def _with_known_suffix(path: str | Path) -> Path:
    path = Path(path)
    if path.suffix not in SUFFIXES:
        raise DataError(f'{path}: must end in {" or ".join(SUFFIXES)}')
    return path
