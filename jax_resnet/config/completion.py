"""What a config means that does not say it: defaults of fields that it lacks, and those of another network."""

from collections.abc import Mapping
from typing import Any

from jax_resnet.config.kinds import shown
from jax_resnet.config.model_fields import NETWORK, REQUIRED, arguments_of
from jax_resnet.errors import ConfigError

LATER_FIELDS = {
    'dataset.check': 'headers',
    'dataset.color_jitter': 0.0,
    'dataset.folder': None,
    'dataset.lighting': 0.0,
    'dataset.split_seed': 0,
    'dataset.validation_fraction': 0.2,
    'gpu.fused_kernels': False,
    'init_from': None,
    'loss.label_smoothing': 0.0,
    'memory.microbatches': 1,
    'memory.rematerialize': False,
    'optimizer.momentum_of': 'gradients',
    'pictures.area': (0.08, 1.0),
    'pictures.average': 'softmax',
    'pictures.aspect_ratio': (3 / 4, 4 / 3),
    'pictures.exif_rotation': False,
    'pictures.interpolation': 'bilinear',
    'pictures.processes': 0,
    'pictures.protocol': 'center',
    'pictures.shorter_side': (256, 480),
    'pictures.test_shorter_side': 256,
    'pictures.threads': 0,
    'pictures.view': 'area',
    'precision.deterministic': False,
    'precision.matmul': 'default',
    'schedule.head_factor': 1.0,
    'schedule.name': 'piecewise',
    'schedule.warmup_shape': 'constant',
}
"""What a run meant whose config is older than these fields."""


def flatten(config: Mapping[str, Any]) -> dict[str, Any]:
    """{'dataset.name': 'cifar10', ...} of a config's groups; a group within a group is left as it is."""
    flat: dict[str, Any] = {}
    for name, value in config.items():
        flat |= {f'{name}.{k}': v for k, v in value.items()} if isinstance(value, Mapping) else {f'{name}': value}
    return flat


def missing(values: Mapping[str, Any]) -> dict[str, Any]:
    """By dotted name, the defaults of the fields that a config lacks: of its network's arguments, and later fields.

    Args:
        values: the config, by dotted name.
    """
    arguments = arguments_of(values.get('model.name'))
    defaults = LATER_FIELDS | {f'model.{name}': default for name, (default, _) in arguments.items()}
    return {name: value for name, value in defaults.items() if name not in values and value is not REQUIRED}


def complete(config: Mapping[str, Any]) -> dict[str, Any]:
    """A config as nested dicts, with every field that has a default, and its sequences as tuples.

    Args:
        config: an ml_collections ConfigDict, or mappings as they come from a config.json.

    Raises:
        ConfigError: it holds itself.
    """
    plain = config.to_dict() if hasattr(config, 'to_dict') else config
    try:
        whole: dict[str, Any] = with_tuples(plain)
    except RecursionError:
        raise ConfigError('config: must be groups of fields; a part of it holds itself') from None
    if isinstance(whole.get('model'), dict):
        for name, value in missing(flatten(whole)).items():
            group, _, leaf = name.rpartition('.')
            holder = whole.setdefault(group, {}) if group else whole
            if isinstance(holder, dict):  # what is no group is told where fields are checked
                holder[leaf] = value
    return whole


def with_tuples(value: Any) -> Any:
    """Nested mappings as dicts, with tuples for lists, of which JSON has no other."""
    if isinstance(value, Mapping):
        return {name: with_tuples(v) for name, v in value.items()}
    return tuple(map(with_tuples, value)) if isinstance(value, list) else value


def switched(model: Mapping[str, Any], network: str) -> dict[str, Any]:
    """The `model` of a config, made another network: each argument at its default takes the other's default.

    The number of classes stays, as it is the data's; and what the network could not do without, as its depth, goes
    where the other has no such argument.

    Args:
        model: the former network's name and arguments.
        network: the other's name.

    Returns:
        Its name and all its arguments; REQUIRED stands for one that is still to be given.

    Raises:
        ConfigError: no such network, or an argument that was changed and that the other does not have.
    """
    if not NETWORK.accepts(network):
        raise ConfigError(f'config.model.name={shown(network)}: must be {NETWORK.allowed}')
    old, new = arguments_of(model.get('name')), arguments_of(network)
    result = {'name': network} | {name: default for name, (default, _) in new.items()}
    for name, value in model.items():
        default = old[name].default if name in old else None
        if name == 'name' or (name in old and value == default and name != 'num_classes'):
            continue
        if name in new:
            result[name] = value
        elif default is not REQUIRED:
            raise ConfigError(
                f'config.model.name={network!r}: has no {name}, which the config sets to {shown(value)}; '
                f'it has {", ".join(new)}'
            )
    return result
