"""Builds the network that a config describes."""

from typing import Any

import jax.numpy as jnp
from msgspec.structs import asdict

from jax_resnet import models
from jax_resnet.config.fields import Config, flatten
from jax_resnet.errors import ConfigError


def network(config: Config, **attributes: Any) -> models.ResNet:
    """Builds the network of a config, with the config's BatchNorm and precision.

    Args:
        config: a config.
        **attributes: further attributes of `models.ResNet`, such as conv and stacked.

    Raises:
        ConfigError: the network's arguments are not valid.
    """
    norm = models.BatchNorms(**asdict(config.batch_norm))
    dtype = jnp.dtype(config.precision.compute)
    try:
        return models.from_config(flatten(config.model), norm=norm, dtype=dtype, **attributes)
    except ValueError as e:
        raise ConfigError(f'config.model: {e}') from None
