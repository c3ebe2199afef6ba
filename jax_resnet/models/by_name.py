"""The network that a config describes: the one place where a name leads to a function of `papers` or `assignments`."""

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
"""What `config.model.name` may be. A new network is a function and a line in this table."""


def from_config(config: Mapping[str, Any], **parts: Any) -> ResNet:
    """The network that `config` describes: `name`, one of NETWORKS, and that function's arguments.

    Args:
        config: such as {'name': 'cifar_resnet', 'depth': 20, 'num_classes': 10}.
        **parts: further attributes of `ResNet`, as for `cifar_resnet`.

    Raises:
        ValueError: an unknown name, or an argument out of its range.
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
    return network(**options, **parts)


def _is_of_type(value: Any, annotation: Any) -> bool:
    if get_origin(annotation) is tuple:
        return isinstance(value, tuple) and all(_is_of_type(v, get_args(annotation)[0]) for v in value)
    if annotation in (int, float):
        return type(value) in (int, annotation)
    return isinstance(value, annotation)
