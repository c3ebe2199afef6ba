"""Exchanges data between the processes of a run, and gives each process its share. `joining` joins the processes.

With one process, these functions do nothing, or return their argument.
"""

from functools import cache
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec


def is_first() -> bool:
    """Whether this is process 0, which writes the run folder and prints."""
    return bool(jax.process_index() == 0)


def are_several() -> bool:
    """Whether there are other processes."""
    return bool(jax.process_count() > 1)


def gather_numbers(*numbers: int) -> np.ndarray:
    """Returns the numbers of each process, int32 [processes, numbers]. All processes must call it at the same point."""
    return gather_rows(np.array([numbers], np.int32), jax.process_count())


def from_first(number: int) -> int:
    """Returns the number that process 0 gives. All processes must call it at the same point."""
    return int(gather_numbers(number)[0, 0])


def share(size: int, index: int | None = None) -> range:
    """Returns the rows of one process, by default of this one. Shares are consecutive. Sizes differ by at most 1."""
    count = jax.process_count()
    if index is None:
        index = jax.process_index()
    return range(size * index // count, size * (index + 1) // count)


def gather_rows(rows: np.ndarray, size: int) -> np.ndarray:
    """Returns the rows of all processes, [size, ...], bit for bit. All processes must call it at the same point.

    Args:
        rows: this process's rows, [len(share(size)), ...].
        size: number of rows of all processes.
    """
    if not are_several():
        return rows
    shares = [share(size, index) for index in range(jax.process_count())]
    padded = np.zeros((max(map(len, shares)), *rows.shape[1:]), rows.dtype)
    padded[: len(rows)] = rows
    as_bytes = np.frombuffer(padded.tobytes(), np.uint8)  # JAX would round float64
    gathered = np.ascontiguousarray(_gather(as_bytes)).view(rows.dtype).reshape(len(shares), *padded.shape)
    return np.concatenate([part[: len(its_rows)] for part, its_rows in zip(gathered, shares, strict=True)])


def barrier(name: str) -> None:
    """Waits until all processes are at this point of the program, without a time limit. It does not use the devices.

    Args:
        name: a name for this point. Each name can be used only once.
    """
    if are_several():
        client().wait_at_barrier(f'jax_resnet/{name}', 1000 * 24 * 60 * 60)


def client() -> Any:
    """Returns JAX's connection to its coordinator, which has barriers and stores values by key."""
    from jax._src import distributed

    client = distributed.global_state.client
    assert client is not None
    return client


def _gather(array: np.ndarray) -> np.ndarray:
    """Returns the arrays of all processes, [processes, ...]. Each process takes part with one device."""
    devices, copy = _copying()
    own = jax.device_put(array[None], devices[jax.process_index()])
    sharding = NamedSharding(Mesh(np.array(devices), ('process',)), PartitionSpec('process'))
    whole = jax.make_array_from_single_device_arrays((len(devices), *array.shape), sharding, [own])
    return np.asarray(copy(whole))


@cache
def _copying() -> tuple[list[jax.Device], Any]:
    """Returns the first device of each process, and a program that copies an array to all of these."""
    first: dict[int, jax.Device] = {}
    for device in jax.devices():
        first.setdefault(device.process_index, device)
    devices = [first[index] for index in range(jax.process_count())]
    everywhere = NamedSharding(Mesh(np.array(devices), ('process',)), PartitionSpec())
    return devices, jax.jit(lambda x: x, out_shardings=everywhere)
