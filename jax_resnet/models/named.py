"""The papers' networks by name and depth, and the network that a config describes."""

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from jax_resnet.models.resnet import INITIALIZATIONS, CifarStem, ResNet
from jax_resnet.models.shortcuts import SHORTCUTS
from jax_resnet.models.units import BasicUnit


def cifar_resnet(
    depth: int, *, shortcut: str = 'A', num_classes: int = 10, initialization: str = 'fan_out', **parts: Any
) -> ResNet:
    """The CIFAR network of He et al. 2015, section 4.2: 6n+2 layers, n basic units in each of three stages.

    Args:
        depth: weighted layers: 20, 32, 44, 56, 110, 1202, or any other 6n+2.
        shortcut: 'A' (padded identity, the paper's choice on CIFAR), 'B' (projection), or 'none' (a plain net).
        num_classes: outputs; 0 for pooled features [batch, 64].
        initialization: of the convolutions, 'fan_out' (the authors' code, head uniform within
            1/sqrt(fan_in)) or 'fan_in' (the head too: He normal, as in the Lab).
        **parts: further attributes of `ResNet`: conv, norm, dtype, stacked, unroll.

    Raises:
        ValueError: a depth that is not 6n+2, or an unknown shortcut or initialization.
    """
    if not isinstance(depth, int) or depth < 8 or (depth - 2) % 6:
        raise ValueError(f'depth must be 6n+2, such as 20, 32, 44, 56, 110; got {depth}')
    kernel_init, head_init = _choose('initialization', initialization, INITIALIZATIONS)
    return ResNet(
        stage_sizes=((depth - 2) // 6,) * 3,
        widths=(16, 32, 64),
        unit=partial(BasicUnit, shortcut=_choose('shortcut', shortcut, SHORTCUTS)),
        stem=partial(CifarStem, channels=16),
        num_classes=num_classes,
        kernel_init=kernel_init,
        head_init=head_init,
        **parts,
    )


def cifar_plain(depth: int, *, num_classes: int = 10, initialization: str = 'fan_out', **parts: Any) -> ResNet:
    """The plain counterpart of `cifar_resnet(depth)`: the same layers without shortcuts. Arguments as there."""
    return cifar_resnet(depth, shortcut='none', num_classes=num_classes, initialization=initialization, **parts)


NETWORKS: dict[str, Callable[..., ResNet]] = {'cifar_resnet': cifar_resnet, 'cifar_plain': cifar_plain}
"""What `config.model.name` may be. A new network is a function here and a line in this table."""


def from_config(config: Mapping[str, Any], **parts: Any) -> ResNet:
    """The network that `config` describes: `name`, one of NETWORKS, and that function's arguments.

    Args:
        config: such as {'name': 'cifar_resnet', 'depth': 20, 'num_classes': 10}.
        **parts: further attributes of `ResNet`, as for `cifar_resnet`.

    Raises:
        ValueError: an unknown name, or an argument out of its range.
    """
    options = dict(config)
    network = _choose('name', options.pop('name', None), NETWORKS)
    parameters = inspect.signature(network).parameters
    known = {name: p.annotation for name, p in parameters.items() if p.kind is not p.VAR_KEYWORD}
    for name, value in options.items():
        if name not in known:
            raise ValueError(f'{name}: unknown; {network.__name__} takes {", ".join(known)}')
        if not isinstance(value, known[name]):
            raise ValueError(f'{name} must be of type {known[name].__name__}; got {value!r}')
    for name in known.keys() - options.keys():
        if parameters[name].default is inspect.Parameter.empty:
            raise ValueError(f'{name}: missing; {network.__name__} takes {", ".join(known)}')
    return network(**options, **parts)


def _choose(field: str, name: str | None, table: Mapping[str, Any]) -> Any:
    if name is None or name not in table:
        raise ValueError(f'{field} must be one of {", ".join(table)}; got {name!r}')
    return table[name]
