"""Chooses the devices of a program, in one or several processes, and puts arrays on them."""

import math
from functools import partial
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, Sharding

from jax_resnet.errors import ConfigError
from jax_resnet.hosts import processes


def mesh(wanted: int | None, batch_size: int) -> Mesh:
    """Returns the devices that share a batch, as a mesh with one axis `data`.

    Each process has the same number of devices. They are in the order of the processes.

    Args:
        wanted: number of devices of all processes together; None means all devices.
        batch_size: number of examples. Each device gets the same number of them.

    Raises:
        ConfigError: there are fewer devices; the batch size is not a multiple of their number; or the processes cannot
            all use the same number of devices.
    """
    by_process: list[list[jax.Device]] = [[] for _ in range(jax.process_count())]
    for device in jax.devices():
        by_process[device.process_index].append(device)
    count, least, most = len(by_process), min(map(len, by_process)), max(map(len, by_process))
    several = f' of {count} processes' if count > 1 else ''
    total = count * most if wanted is None else wanted
    if wanted is None and least < most:
        raise ConfigError(
            f'config.parallel.devices={wanted}: some of the {count} processes have {least} devices, others {most}; '
            f'give {count * least} to use {least} of each'
        )
    if total > count * least:
        raise ConfigError(f'config.parallel.devices={total}: must be at most the {count * least} devices{several}')
    if total % count:
        raise ConfigError(f'config.parallel.devices={total}: must be a multiple of the {count} processes')
    if batch_size % total:
        raise ConfigError(
            f'config.batch_size={batch_size}: must be a multiple of the {total} devices{several} '
            '(config.parallel.devices)'
        )
    return Mesh(np.array([device for its in by_process for device in its[: total // count]]), ('data',))


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


def put_rows(rows: np.ndarray, sharding: NamedSharding, size: int) -> jax.Array:
    """Puts an array [size, ...] on the devices, divided by rows.

    Args:
        rows: this process's rows, which are its `processes.share`.
        sharding: divides the first axis.
        size: number of rows of all processes.

    Raises:
        ValueError: `rows` is not this process's share, or the processes do not have equal shares.
    """
    own = processes.share(size)
    if len(rows) != len(own) or size % jax.process_count():
        raise ValueError(
            f'{len(rows)} rows of {size} in one of {jax.process_count()} processes; must be the same number in each'
        )
    if sharding.is_fully_addressable:
        return jax.device_put(rows, sharding)

    def piece(index: Any) -> np.ndarray:
        start, stop, _ = index[0].indices(size)
        return rows[start - own.start : stop - own.start]

    return jax.make_array_from_callback((size, *rows.shape[1:]), sharding, piece)


def own(tree: Any, sharding: Sharding) -> Any:
    """Returns this process's copies of arrays that have a copy on each device of all processes.

    Args:
        tree: a tree of such arrays.
        sharding: has a copy on each device of this process.
    """
    return jax.tree.map(lambda x: x if x.is_fully_addressable else _own(x, sharding), tree)


def _own(x: jax.Array, sharding: Sharding) -> jax.Array:
    copies = [shard.data for shard in x.addressable_shards]
    return jax.make_array_from_single_device_arrays(x.shape, sharding, copies)


def _put(x: Any, sharding: Sharding) -> jax.Array:
    if isinstance(x, jax.Array) and jax.dtypes.issubdtype(x.dtype, jax.dtypes.prng_key):
        return jax.random.wrap_key_data(_put(jax.random.key_data(x), sharding), impl=jax.random.key_impl(x))
    whole = np.asarray(x)
    return jax.make_array_from_callback(whole.shape, sharding, lambda index: whole[index])
