"""Exchanges data between the processes of a run, and gives each process its share. `joining` joins the processes.

With one process, these functions do nothing, or return their argument.
"""

import jax
import numpy as np
from jax.experimental import multihost_utils


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
    if jax.process_count() == 1:
        return rows
    shares = [share(size, index) for index in range(jax.process_count())]
    padded = np.zeros((max(map(len, shares)), *rows.shape[1:]), rows.dtype)
    padded[: len(rows)] = rows
    as_bytes = np.frombuffer(padded.tobytes(), np.uint8)  # JAX would round float64
    gathered = (
        np.ascontiguousarray(multihost_utils.process_allgather(as_bytes))
        .view(rows.dtype)
        .reshape(len(shares), *padded.shape)
    )
    return np.concatenate([part[: len(its_rows)] for part, its_rows in zip(gathered, shares, strict=True)])


def barrier(name: str, seconds: float | None = None) -> None:
    """Waits until all processes are at this point of the program. It does not use the devices.

    Args:
        name: a name for this point. Each name can be used only once.
        seconds: after this time JaxRuntimeError is raised; None means one day, as JAX needs a limit.
    """
    if jax.process_count() > 1:
        from jax._src import distributed

        client = distributed.global_state.client
        assert client is not None
        client.wait_at_barrier(f'jax_resnet/{name}', round(1000 * (seconds or 24 * 60 * 60)))
