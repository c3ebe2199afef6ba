"""Completes configs: adds defaults of missing fields, and changes arguments when another network is chosen."""

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
    'gpu.batch_norm_sums': True,
    'gpu.flat_arrays': True,
    'gpu.graphs': True,
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
"""Values of these fields for runs whose configs are older than the fields."""


def flatten(config: Mapping[str, Any]) -> dict[str, Any]:
    """Flattens a config's groups to {'dataset.name': 'cifar10', ...}. A group inside a group stays a mapping."""
    flat: dict[str, Any] = {}
    for name, value in config.items():
        flat |= {f'{name}.{k}': v for k, v in value.items()} if isinstance(value, Mapping) else {f'{name}': value}
    return flat


def missing(values: Mapping[str, Any]) -> dict[str, Any]:
    """Defaults of the fields that a config lacks, by dotted name: LATER_FIELDS and the network's arguments.

    Args:
        values: the config's fields, by dotted name.
    """
    arguments = arguments_of(values.get('model.name'))
    defaults = LATER_FIELDS | {f'model.{name}': default for name, (default, _) in arguments.items()}
    return {name: value for name, value in defaults.items() if name not in values and value is not REQUIRED}


def complete(config: Mapping[str, Any]) -> dict[str, Any]:
    """Converts a config to nested dicts, adds all defaults, and turns its lists into tuples.

    Args:
        config: an ml_collections ConfigDict, or nested mappings from a config.json.

    Raises:
        ConfigError: the config contains itself.
    """
    plain = config.to_dict() if hasattr(config, 'to_dict') else config
    try:
        whole: dict[str, Any] = with_tuples(plain)
    except RecursionError:
        raise ConfigError('config: must be groups of fields that do not contain themselves') from None
    if isinstance(whole.get('model'), dict):
        for name, value in missing(flatten(whole)).items():
            group, _, leaf = name.rpartition('.')
            holder = whole.setdefault(group, {}) if group else whole
            if isinstance(holder, dict):  # `fields.check` reports a value that should be a group
                holder[leaf] = value
    return whole


def with_tuples(value: Any) -> Any:
    """Converts nested mappings to dicts, and lists to tuples. (JSON has no tuples, so it stores them as lists.)"""
    if isinstance(value, Mapping):
        return {name: with_tuples(v) for name, v in value.items()}
    return tuple(map(with_tuples, value)) if isinstance(value, list) else value


def switched(model: Mapping[str, Any], network: str) -> dict[str, Any]:
    """Changes the `model` of a config to another network. Arguments with the old default get the new default.

    The number of classes is kept, since it depends on the data. A required argument, such as the depth, is dropped if
    the new network does not have it.

    Args:
        model: the old network's name and arguments.
        network: the new network's name.

    Returns:
        The new network's name and all its arguments. The value REQUIRED marks an argument that is still missing.

    Raises:
        ConfigError: the network is unknown, or the new network lacks an argument that was changed from its default.
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
                f'config.model.name={network!r}: has no argument {name}, which the config sets to {shown(value)}; '
                f'its arguments are {", ".join(new)}'
            )
    return result
