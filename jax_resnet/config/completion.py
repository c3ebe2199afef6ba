"""Completes configs: adds the defaults of a network's arguments, and changes them when another network is chosen."""

from collections.abc import Mapping
from typing import Any

from jax_resnet.config.kinds import shown
from jax_resnet.config.model_fields import NETWORK, REQUIRED, arguments_of
from jax_resnet.errors import ConfigError


def flatten(config: Mapping[str, Any]) -> dict[str, Any]:
    """Flattens a config's groups to {'dataset.name': 'cifar10', ...}. A group inside a group stays a mapping."""
    flat: dict[str, Any] = {}
    for name, value in config.items():
        flat |= {f'{name}.{k}': v for k, v in value.items()} if isinstance(value, Mapping) else {f'{name}': value}
    return flat


def with_defaults(model: Mapping[str, Any]) -> dict[str, Any]:
    """Adds the defaults of a network's arguments to the group `model` of a config."""
    arguments = arguments_of(model.get('name'))
    return {name: default for name, (default, _) in arguments.items() if default is not REQUIRED} | dict(model)


def complete(config: Mapping[str, Any]) -> dict[str, Any]:
    """Converts a config to nested dicts, adds the defaults of its network, and turns its lists into tuples.

    Args:
        config: an ml_collections ConfigDict, or nested mappings.

    Raises:
        ConfigError: the config contains itself.
    """
    plain = config.to_dict() if hasattr(config, 'to_dict') else config
    try:
        whole: dict[str, Any] = with_tuples(plain)
    except RecursionError:
        raise ConfigError('config: must be groups of fields that do not contain themselves') from None
    if isinstance(whole.get('model'), dict):  # `fields.check` reports a value that should be a group
        whole['model'] = with_defaults(whole['model'])
    return whole


def with_tuples(value: Any) -> Any:
    """Converts nested mappings to dicts, and lists to tuples. (JSON has no tuples, so it stores them as lists.)"""
    if isinstance(value, Mapping):
        return {name: with_tuples(v) for name, v in value.items()}
    return tuple(map(with_tuples, value)) if isinstance(value, list | tuple) else value


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
