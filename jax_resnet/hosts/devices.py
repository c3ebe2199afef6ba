"""Chooses the devices of a program, in one or several processes, and puts arrays on them."""

import math
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding, Sharding

from jax_resnet.errors import ConfigError


def mesh(wanted: int | None, batch_size: int) -> Mesh:
    """Returns the devices that share a batch, as a mesh with one axis `data`.

    Each process has the same number of devices. They are in the order of the processes.

    Args:
        wanted: number of devices of all processes together; None means all devices.
        batch_size: number of examples. Each device gets the same number of them.

    Raises:
        ConfigError: there are fewer devices; the batch size is not a multiple of their number; or the processes do not
            have, or cannot use, the same number of devices.
    """
    count = jax.process_count()
    by_process = [[device for device in jax.devices() if device.process_index == index] for index in range(count)]
    least, most = min(map(len, by_process)), max(map(len, by_process))
    several = f' of {count} processes' if count > 1 else ''
    total = count * most if wanted is None else wanted
    if least < most:
        raise ConfigError(f'the {count} processes have from {least} to {most} devices: must be the same number in each')
    if total > count * most:
        raise ConfigError(f'config.parallel.devices={total}: must be at most the {count * most} devices{several}')
    if total % count:
        raise ConfigError(f'config.parallel.devices={total}: must be a multiple of the {count} processes')
    if batch_size % total:
        raise ConfigError(
            f'config.batch_size={batch_size}: must be a multiple of the {total} devices{several} '
            '(config.parallel.devices)'
        )
    return Mesh(np.array(by_process)[:, : total // count].ravel(), ('data',))


def local_batch_size(batch_size: int, examples: int, devices: int) -> int:
    """The batch size of one process in evaluation, a multiple of its devices. It is not larger than its share needs.

    Args:
        batch_size: maximum batch size of all processes together, before rounding up.
        examples: number of examples of the split.
        devices: number of devices of the process.
    """
    needed = math.ceil(min(batch_size, examples) / jax.process_count())
    return math.ceil(needed / devices) * devices


def put(tree: Any, sharding: Sharding) -> Any:
    """Puts a tree of arrays on the devices, each of which gets a copy. Every process has the whole arrays."""
    if sharding.is_fully_addressable:
        return jax.device_put(tree, sharding)
    assert isinstance(sharding, NamedSharding) and isinstance(sharding.mesh, Mesh)
    return multihost_utils.host_local_array_to_global_array(tree, sharding.mesh, sharding.spec)
