"""Builds the network that a config describes."""

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp

from jax_resnet import models
from jax_resnet.errors import ConfigError


def network(config: Mapping[str, Any], **attributes: Any) -> models.ResNet:
    """Builds the network of a config, with the config's BatchNorm and precision.

    Args:
        config: a config; the groups `model`, `batch_norm` and `precision` are used.
        **attributes: further attributes of `models.ResNet`, such as conv and stacked.

    Raises:
        ConfigError: the network's arguments are not valid.
    """
    batch_norm = config['batch_norm']
    norm = models.BatchNorms(
        group_size=batch_norm['group_size'],
        momentum=batch_norm['momentum'],
        epsilon=batch_norm['epsilon'],
    )
    dtype = jnp.dtype(config['precision']['compute'])
    try:
        return models.from_config(config['model'], norm=norm, dtype=dtype, **attributes)
    except ValueError as e:
        raise ConfigError(f'config.model: {e}') from None
