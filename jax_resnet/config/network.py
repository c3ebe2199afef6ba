"""The network that a config describes."""

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp

from jax_resnet import models
from jax_resnet.errors import ConfigError


def network(config: Mapping[str, Any], **parts: Any) -> models.ResNet:
    """The network of a config, with its BatchNorm and precision.

    Args:
        config: of which `model`, `batch_norm` and `precision` are read.
        **parts: further attributes of `models.ResNet`: conv, stacked.

    Raises:
        ConfigError: a network that cannot be.
    """
    batch_norm = config['batch_norm']
    norm = models.BatchNorms(
        group_size=batch_norm['group_size'],
        momentum=batch_norm['momentum'],
        epsilon=batch_norm['epsilon'],
    )
    dtype = jnp.dtype(config['precision']['compute'])
    try:
        return models.from_config(config['model'], norm=norm, dtype=dtype, **parts)
    except ValueError as e:
        raise ConfigError(f'config.model: {e}') from None
