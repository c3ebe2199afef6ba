"""The processes of a run: what they agree on, and what each has its share of.

One process agrees with itself: nothing is computed or imported. `joining` makes a program one of several processes.
"""

from typing import Any

import jax
import numpy as np


def is_first() -> bool:
    """Whether this is process 0, the one that writes and prints."""
    return bool(jax.process_index() == 0)


def are_several() -> bool:
    """Whether there are other processes."""
    return bool(jax.process_count() > 1)


def agreed(*numbers: int) -> np.ndarray:
    """What each process gave, int32 [processes, numbers]. All processes must call it at the same point."""
    return gathered(np.array([numbers], np.int32), jax.process_count())


def of_first(number: int) -> int:
    """What process 0 gave. All processes must call it at the same point."""
    return int(agreed(number)[0, 0])


def share(size: int, index: int | None = None) -> range:
    """Of `size` rows, those of a process, this one by default: consecutive, and in each as many, but for one."""
    index, count = jax.process_index() if index is None else index, jax.process_count()
    return range(size * index // count, size * (index + 1) // count)


def gathered(rows: np.ndarray, size: int) -> np.ndarray:
    """The rows of all processes, [size, ...], from each one's `share(size)`, bit for bit."""
    if not are_several():
        return rows
    from jax.experimental import multihost_utils

    shares = [share(size, index) for index in range(jax.process_count())]
    padded = np.zeros((max(map(len, shares)), *rows.shape[1:]), rows.dtype)
    padded[: len(rows)] = rows
    as_bytes = np.frombuffer(padded.tobytes(), np.uint8)  # JAX would round float64
    found: Any = multihost_utils.process_allgather(as_bytes)
    every = np.ascontiguousarray(found).view(rows.dtype).reshape(len(shares), *padded.shape)
    return np.concatenate([of_one[: len(its)] for of_one, its in zip(every, shares, strict=True)])


def meet(where: str) -> None:
    """Waits until all processes are here, however long they take; the devices are not needed.

    Args:
        where: the name of the point, which no other has.
    """
    if are_several():
        client().wait_at_barrier(f'jax_resnet/{where}', 1000 * 24 * 60 * 60)


def client() -> Any:
    """JAX's connection to what all processes know: keys with values, and barriers."""
    from jax._src import distributed

    found = distributed.global_state.client
    assert found is not None
    return found
