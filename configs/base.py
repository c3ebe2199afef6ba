"""The base of all configs: all fields, with the recipe of He et al. 2015 on CIFAR-10 (section 4.2).

`jax_resnet/config/fields.py` is the table of the fields, with their defaults; (inferred) marks there what the paper
does not state. Arguments of the network that are missing here have the defaults of its struct there; for example, the
shortcut is A, or B for bottlenecks.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Any

from ml_collections import ConfigDict
from ml_collections.config_dict import placeholder

from jax_resnet.config import fields


def get_config(**model: Any) -> ConfigDict:
    """Returns 64,000 steps of 128, learning rate 0.1, divided by 10 at 32,000 and 48,000, weight decay 0.0001.

    Args:
        **model: arguments of the network, with its name if it is not cifar_resnet. The depth is 20 by default.
    """
    groups: dict[str, Any] = {}
    for name, field in fields.FIELDS.items():
        group, _, leaf = name.rpartition('.')
        holder = groups.setdefault(group, {}) if group else groups
        holder[leaf] = placeholder(field.scalar) if field.default is None else field.default
    groups['model'] = model if 'name' in model else {'name': 'cifar_resnet', 'depth': 20} | model
    return ConfigDict(groups)


def set_network(config: ConfigDict, network: str, known: Sequence[str]) -> None:
    """Sets `config.model` to a network such as 'resnet56' or 'plain20'. Raises ValueError if it is not `known`."""
    check_known('network', network, known)
    preact, family, depth = re.fullmatch(r'(preact_)?(resnet|plain)(\d+)', network).groups()
    config.model.name = f'cifar_{family}'
    config.model.depth = int(depth)
    if preact:
        config.model.order = 'full_preactivation'


def check_known(category: str, name: str, known: Iterable[str]) -> None:
    """Raises ValueError, which lists the known names, if the argument of a config or study is not one of them."""
    known = list(known)
    if name not in known:
        raise ValueError(f'unknown {category} {name!r}; known are {", ".join(known)}')
