"""Reads a file of weights: its variables, and the network that its header records."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from jax_resnet import models
from jax_resnet.config.fields import Config, NetworkFields
from jax_resnet.config.network import network
from jax_resnet.errors import ConfigError, DataError
from jax_resnet.files import shown
from jax_resnet.models.pytorch_styles import unit_name
from jax_resnet.runs import weights
from jax_resnet.runs.run_folder import RunFolder

COMPARED_ATTRIBUTES = ('stem', 'stage_sizes', 'widths', 'layers', 'order', 'shortcut', 'shortcut_windows', 'end')
"""Attributes that determine what a network computes from its weights. The head may differ."""

STRIDE_NOTES = {
    'bottleneck': "; the stride of a bottleneck is in its first convolution; torchvision's and timm's networks have it "
    'in the 3x3 convolution: config.model.v1_5=True',
    'bottleneck_v1.5': '; the stride of a bottleneck is in its 3x3 convolution, as torchvision and timm have it',
}
"""Notes on the units whose arrays have the same names and shapes."""


def recorded_network(path: str | Path) -> tuple[Config | NetworkFields, models.ResNet] | None:
    """Reads the network that a run folder or a file of weights records.

    Returns:
        Its config, or groups of it, and the network. None if the file records no network.

    Raises:
        ConfigError, DataError: it cannot be read, or records no valid network.
    """
    recorded = RunFolder(path).config() if Path(path).is_dir() else weights.network_in(path)
    if recorded is None:
        return None
    try:
        return recorded, network(recorded)
    except (KeyError, TypeError, ValueError) as e:
        reason = e if isinstance(e, ConfigError) else f'{type(e).__name__}: {e}'
        raise ConfigError(f'{shown(path)}: describes no network ({reason})') from None


def check_same(name: str, recorded: models.ResNet, configured: models.ResNet) -> None:
    """Raises ConfigError if weights belong to another network than that of a config. The message names a difference.

    Args:
        name: name of the weights, for the message.
        recorded: the network of the weights.
        configured: the network of the config.
    """
    pairs = {
        attribute: (getattr(recorded, attribute), getattr(configured, attribute)) for attribute in COMPARED_ATTRIBUTES
    }
    pairs['batch_norm.epsilon'] = _epsilon(recorded), _epsilon(configured)
    for attribute, values in pairs.items():
        if values[0] != values[1]:
            texts = [unit_name(value[0]) if attribute == 'layers' else str(value) for value in values]
            raise ConfigError(
                f'{name}: has another network; {attribute} is {texts[0]} in the weights, {texts[1]} in the config'
            )


def describe_assumptions(net: models.ResNet) -> str:
    """Says which attributes of the network `net` are assumed for weights that do not record their network."""
    units = unit_name(net.layers[0])
    attributes = f'shortcut {net.shortcut}, order {net.order}, units {units}'
    return f'does not name its network; {attributes} are taken from the config, unchecked{STRIDE_NOTES.get(units, "")}'


def _epsilon(net: models.ResNet) -> Any:
    return getattr(net.norm, 'epsilon', None)


def read_variables(path: str | Path, headless: bool = False) -> dict[str, Any]:
    """Reads a file of weights with our names or PyTorch's. Returns our variables, unstacked.

    Args:
        path: path of the file.
        headless: whether the head may be missing in a file with PyTorch's names.

    Raises:
        DataError: the file cannot be read, has unknown names, lacks tensors, or has arrays that are not floats, not
            finite or negative variances.
    """
    return variables_of(weights.read(path), path, headless)


def first_difference(variables: Mapping[str, Any], expected: Mapping[str, Any], description: str) -> str | None:
    """Describes the first array, by name, that only one of two trees has, or that has different shapes in them.

    Args:
        variables: variables of a file of weights, as nested dicts.
        expected: variables of the network, or their shapes as of `jax.eval_shape`.
        description: where the network is from, for the text.

    Returns:
        Text such as 'params/head/bias is [10] in the weights, missing in the config'; None if all shapes are equal.
    """
    found, needed = (
        {name: str(list(np.shape(array))) for name, array in flatten_dict(dict(tree), sep='/').items()}
        for tree in (variables, expected)
    )
    for name in sorted({*found, *needed}):
        shapes = [names.get(name, 'missing') for names in (found, needed)]
        if shapes[0] != shapes[1]:
            return f'{name} is {shapes[0]} in the weights, {shapes[1]} in {description}'
    return None


def flat(variables: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Flattens variables to arrays by their names in a file of weights, such as 'params/stem/conv/kernel'."""
    return {name: np.asarray(array) for name, array in flatten_dict(dict(variables), sep='/').items()}


def variables_of(arrays: Mapping[str, np.ndarray], path: str | Path, headless: bool = False) -> dict[str, Any]:
    """Like `read_variables`, for arrays that are already read from the file."""
    tensors = {name: array for name, array in arrays.items() if not name.startswith(weights.NORMALIZATION)}
    try:
        is_ours = all(name.startswith(('params/', 'batch_stats/')) for name in tensors)
        variables = unflatten_dict(tensors, sep='/') if is_ours else models.from_pytorch(tensors, headless)
    except (IndexError, TypeError, ValueError) as e:  # not ValueError, if one name is also the prefix of another
        raise DataError(f'{shown(path)}: {e}') from None
    for name, array in flatten_dict(variables, sep='/').items():
        if not jnp.issubdtype(array.dtype, jnp.floating):
            raise DataError(f'{shown(path)}: {name} is {array.dtype}; weights must be floating-point numbers')
    floats = {name: array for name, array in tensors.items() if jnp.issubdtype(array.dtype, jnp.floating)}
    weights.check_sound(path, floats)
    return variables
