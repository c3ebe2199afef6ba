"""What a file of weights holds: its variables, and which network it says that they are of."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from jax_resnet import models
from jax_resnet.config.completion import complete
from jax_resnet.config.network import network
from jax_resnet.errors import ConfigError, DataError
from jax_resnet.files import shown
from jax_resnet.models.pytorch_styles import unit_name
from jax_resnet.runs import weights
from jax_resnet.runs.run_folder import RunFolder

COMPARED = ('stem', 'stage_sizes', 'widths', 'layers', 'order', 'shortcut', 'shortcut_windows', 'end')
"""Attributes of a network that say what it computes from its weights; the head may differ."""

STRIDES = {
    'bottleneck': "; a bottleneck's stride is in its first convolution; torchvision's and timm's weights have it in "
    'the 3x3: config.model.v1_5=True',
    'bottleneck_v1.5': "; a bottleneck's stride is in its 3x3 convolution, as torchvision and timm have it",
}
"""What is said of units whose arrays are the same."""


def known(path: str | Path) -> tuple[dict[str, Any], models.ResNet] | None:
    """What a run folder or a file of weights says of its network: groups of its config, and the network; or None.

    Raises:
        ConfigError, DataError: it cannot be read, or says what no network is.
    """
    said = RunFolder(path).config() if Path(path).is_dir() else weights.network_in(path)
    if said is None:
        return None
    try:
        config = complete(said)
        return config, network(config)
    except (KeyError, TypeError, ValueError) as e:
        reason = e if isinstance(e, ConfigError) else f'{type(e).__name__}: {e}'
        raise ConfigError(f'{shown(path)}: describes no network ({reason})') from None


def check_same(name: str, there: models.ResNet, here: models.ResNet) -> None:
    """Raises ConfigError, which names the first difference, where weights are of another network than a config's.

    Args:
        name: of the weights, for the message.
        there: their network.
        here: the config's.
    """
    pairs: list[tuple[str, Any, Any]] = [(what, getattr(there, what), getattr(here, what)) for what in COMPARED]
    pairs.append(('batch_norm.epsilon', _epsilon(there), _epsilon(here)))
    for what, of_weights, of_config in pairs:
        if of_weights != of_config:
            told = [unit_name(v[0]) if what == 'layers' else str(v) for v in (of_weights, of_config)]
            raise ConfigError(f'{name}: holds another network; its {what} is {told[0]} there, {told[1]} here')


def on_trust(net: models.ResNet) -> str:
    """What weights that say nothing of their network are taken for, for a line."""
    units = unit_name(net.layers[0])
    parts = f'shortcut {net.shortcut}, order {net.order}, units {units}'
    return f'does not say its network; {parts} are taken from the config, unchecked{STRIDES.get(units, "")}'


def _epsilon(net: models.ResNet) -> Any:
    return getattr(net.norm, 'epsilon', None)


def read_variables(path: str | Path, headless: bool = False) -> dict[str, Any]:
    """Our variables, unstacked, of a file with our names or PyTorch's.

    Args:
        path: of the file.
        headless: whether PyTorch's head may be missing.

    Raises:
        DataError: it cannot be read, has other names, lacks tensors of PyTorch's, or has arrays of another type.
    """
    return variables_of(weights.read(path), path, headless)


def flat(variables: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Variables by the names that a file of weights has: 'params/stem/conv/kernel'."""
    return {name: np.asarray(array) for name, array in flatten_dict(dict(variables), sep='/').items()}


def variables_of(arrays: Mapping[str, np.ndarray], path: str | Path, headless: bool = False) -> dict[str, Any]:
    """As `read_variables`, of the file's arrays."""
    tensors = {name: array for name, array in arrays.items() if not name.startswith(weights.NORMALIZATION)}
    try:
        is_ours = all(name.startswith(('params/', 'batch_stats/')) for name in tensors)
        variables = unflatten_dict(tensors, sep='/') if is_ours else models.from_pytorch(tensors, headless)
    except (IndexError, TypeError, ValueError) as e:  # ValueError, but where one name is the folder of another
        raise DataError(f'{shown(path)}: {e}') from None
    for name, array in flatten_dict(variables, sep='/').items():
        if not jnp.issubdtype(array.dtype, jnp.floating):
            raise DataError(f'{shown(path)}: {name} is {array.dtype}; weights must be floating-point numbers')
    return variables
