"""The devices of a program."""

import jax
import numpy as np
from jax.sharding import Mesh

from jax_resnet.errors import ConfigError


def mesh(wanted: int | None, batch_size: int) -> Mesh:
    """The local devices that share a batch, one axis `data`.

    Args:
        wanted: how many; None is all of them.
        batch_size: which they share evenly.

    Raises:
        ConfigError: more than there are, or a batch that they cannot share; or this program is one process of several.
    """
    if jax.process_count() > 1:
        raise ConfigError('jax_resnet runs in one process; several are not supported')
    devices = jax.local_devices()
    count = len(devices) if wanted is None else wanted
    if count > len(devices):
        raise ConfigError(f'config.parallel.devices={count}: must be at most the {len(devices)} local devices')
    if batch_size % count:
        raise ConfigError(
            f'config.batch_size={batch_size}: must be a multiple of the {count} devices (config.parallel.devices)'
        )
    return Mesh(np.array(devices[:count]), ('data',))
