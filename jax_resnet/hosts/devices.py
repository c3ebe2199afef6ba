"""Chooses the devices of a program, in one or several processes, and puts arrays on them."""

import math
from functools import partial
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, Sharding

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


def local_mesh(mesh: Mesh) -> Mesh:
    """Returns a mesh of this process's devices of a mesh."""
    return Mesh(np.array([d for d in mesh.devices.flat if d.process_index == jax.process_index()]), mesh.axis_names)


def whole_batch(batch_size: int, examples: int, devices: int) -> int:
    """The batch size of one process in evaluation, a multiple of its devices. It is not larger than its share needs.

    Args:
        batch_size: maximum batch size of all processes together, before rounding up.
        examples: number of examples of the split.
        devices: number of devices of the process.
    """
    needed = math.ceil(min(batch_size, examples) / jax.process_count())
    return math.ceil(needed / devices) * devices


def put(tree: Any, sharding: Sharding) -> Any:
    """Puts a tree of arrays on the devices. Every process has the whole arrays."""
    if sharding.is_fully_addressable:
        return jax.device_put(tree, sharding)
    return jax.tree.map(partial(_put, sharding=sharding), tree)


def own(tree: Any, sharding: Sharding) -> Any:
    """Returns this process's copies of arrays that have a copy on each device of all processes.

    Args:
        tree: a tree of such arrays.
        sharding: has a copy on each device of this process.
    """

    def copies(x: jax.Array) -> jax.Array:
        return jax.make_array_from_single_device_arrays(
            x.shape, sharding, [shard.data for shard in x.addressable_shards]
        )

    return jax.tree.map(lambda x: x if x.is_fully_addressable else copies(x), tree)


def _put(x: Any, sharding: Sharding) -> jax.Array:
    if isinstance(x, jax.Array) and jax.dtypes.issubdtype(x.dtype, jax.dtypes.prng_key):
        return jax.random.wrap_key_data(_put(jax.random.key_data(x), sharding), impl=jax.random.key_impl(x))
    return jax.make_array_from_process_local_data(sharding, np.asarray(x), np.shape(x))
