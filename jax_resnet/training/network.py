"""The network of a config, and what makes it fast on a platform."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from jax_resnet import models
from jax_resnet.errors import ConfigError
from jax_resnet.training import xla_cpu


def parts_for(platform: str) -> dict[str, Any]:
    """Attributes of `models.ResNet` with which training runs a network on a platform, 'cpu' or another."""
    if platform != 'cpu':
        return {'stacked': True}
    conv = partial(nn.Conv, conv_general_dilated=xla_cpu.conv_general_dilated)
    return {'stacked': True, 'conv': conv, 'rematerialize': xla_cpu.keep_convolutions, 'unroll': xla_cpu.UNROLL}


def compiler_options_for(platform: str) -> dict[str, Any]:
    """What `jax.jit` should hand to the compiler of a platform."""
    return dict(xla_cpu.compiler_options()) if platform == 'cpu' else {}


def network(config: Mapping[str, Any], **parts: Any) -> models.ResNet:
    """The network of a config, with its BatchNorm and precision.

    Args:
        config: of which `model`, `batch_norm` and `precision` are read.
        **parts: further attributes of `models.ResNet`: conv, stacked.

    Raises:
        ConfigError: a network that cannot be.
    """
    batch_norm = config['batch_norm']
    norm = partial(
        models.BatchNorm,
        group_size=batch_norm['group_size'],
        momentum=batch_norm['momentum'],
        epsilon=batch_norm['epsilon'],
    )
    dtype = jnp.dtype(config['precision']['compute'])
    try:
        return models.from_config(config['model'], norm=norm, dtype=dtype, **parts)
    except ValueError as e:
        raise ConfigError(f'config.model: {e}') from None
