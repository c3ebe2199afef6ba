"""Builds the network that a config names. Only this module maps names to functions of `papers` and `assignments`."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, get_args, get_origin

from jax_resnet.models.assignments import identity4, scaled_resnet
from jax_resnet.models.choose import choose
from jax_resnet.models.papers import cifar_plain, cifar_resnet, imagenet_plain, imagenet_resnet
from jax_resnet.models.resnet import ResNet

NETWORKS: dict[str, Callable[..., ResNet]] = {
    'cifar_resnet': cifar_resnet,
    'cifar_plain': cifar_plain,
    'imagenet_resnet': imagenet_resnet,
    'imagenet_plain': imagenet_plain,
    'scaled_resnet': scaled_resnet,
    'identity4': identity4,
}
"""Valid values of `config.model.name`. To add a network, write a function and add a line here."""


def from_config(config: Mapping[str, Any], **attributes: Any) -> ResNet:
    """Builds the network that `config` describes: `name` is one of NETWORKS; the rest are its function's arguments.

    Args:
        config: for example {'name': 'cifar_resnet', 'depth': 20, 'num_classes': 10}.
        **attributes: further attributes of `ResNet`, as for `cifar_resnet`.

    Raises:
        ValueError: a name is unknown, or an argument is missing, has the wrong type, or is out of range.
    """
    options = dict(config)
    network = choose('name', options.pop('name', None), NETWORKS)
    parameters = inspect.signature(network).parameters
    known = {name: p.annotation for name, p in parameters.items() if p.kind is not p.VAR_KEYWORD}
    for name, value in options.items():
        if name not in known:
            raise ValueError(f'{name}: unknown; {network.__name__} takes {", ".join(known)}')
        if not _is_of_type(value, known[name]):
            a_type = 'tuple of int' if get_origin(known[name]) else known[name].__name__
            raise ValueError(f'{name} must be of type {a_type}; got {value!r}')
    for name in known.keys() - options.keys():
        if parameters[name].default is inspect.Parameter.empty:
            raise ValueError(f'{name}: missing; {network.__name__} takes {", ".join(known)}')
    return network(**options, **attributes)


def _is_of_type(value: Any, annotation: Any) -> bool:
    if get_origin(annotation) is tuple:
        return isinstance(value, tuple) and all(_is_of_type(v, get_args(annotation)[0]) for v in value)
    if annotation in (int, float):
        return type(value) in (int, annotation)
    return isinstance(value, annotation)
