"""The devices of a program, and how arrays come to them: those of this process, or of several."""

from functools import partial
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, Sharding

from jax_resnet.backend import processes
from jax_resnet.errors import ConfigError


def mesh(wanted: int | None, batch_size: int) -> Mesh:
    """The devices that share a batch, one axis `data`: process by process, as many of each.

    Args:
        wanted: how many, of all processes together; None is all of them.
        batch_size: which they share evenly.

    Raises:
        ConfigError: more than there are, or a batch that they cannot share; or processes with other numbers of devices.
    """
    of_process: list[list[jax.Device]] = [[] for _ in range(jax.process_count())]
    for device in jax.devices():
        of_process[device.process_index].append(device)
    count, least, most = len(of_process), min(map(len, of_process)), max(map(len, of_process))
    several, total = f' of {count} processes' if count > 1 else '', count * most if wanted is None else wanted
    if wanted is None and least < most:
        raise ConfigError(
            f'config.parallel.devices={wanted}: of {count} processes some have {least} devices, others {most}; '
            f'{count * least} takes {least} of each'
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
    return Mesh(np.array([device for its in of_process for device in its[: total // count]]), ('data',))


def local_mesh(mesh: Mesh) -> Mesh:
    """The devices of a mesh that are this process's."""
    return Mesh(np.array([d for d in mesh.devices.flat if d.process_index == jax.process_index()]), mesh.axis_names)


def put(tree: Any, sharding: Sharding) -> Any:
    """Arrays on the devices, of a tree that every process has whole."""
    if sharding.is_fully_addressable:
        return jax.device_put(tree, sharding)
    return jax.tree.map(partial(_put, sharding=sharding), tree)


def put_rows(rows: np.ndarray, sharding: NamedSharding, size: int) -> jax.Array:
    """An array on the devices, [size, ...], split by its rows, of which each process has its `processes.share`.

    Raises:
        ValueError: other numbers of rows.
    """
    own = processes.share(size)
    if len(rows) != len(own) or size % jax.process_count():
        raise ValueError(
            f'{len(rows)} rows of {size} in one of {jax.process_count()} processes; must be the same in each'
        )
    if sharding.is_fully_addressable:
        return jax.device_put(rows, sharding)

    def piece(index: Any) -> np.ndarray:
        start, stop, _ = index[0].indices(size)
        return rows[start - own.start : stop - own.start]

    return jax.make_array_from_callback((size, *rows.shape[1:]), sharding, piece)


def own(tree: Any, sharding: Sharding) -> Any:
    """From arrays with a copy on each device of all processes to the copies on this process's devices.

    Args:
        tree: of arrays.
        sharding: a copy on each device of this process.
    """
    return jax.tree.map(lambda x: x if x.is_fully_addressable else _own(x, sharding), tree)


def _own(x: jax.Array, sharding: Sharding) -> jax.Array:
    copies = [shard.data for shard in x.addressable_shards]
    return jax.make_array_from_single_device_arrays(x.shape, sharding, copies)


def _put(x: Any, sharding: Sharding) -> jax.Array:
    whole = np.asarray(x)
    return jax.make_array_from_callback(whole.shape, sharding, lambda index: whole[index])
