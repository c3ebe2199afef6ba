"""The sample stream: chooses the examples of each step, as a pure function of (key, step).

Each epoch has a new permutation of the examples. The permutations follow one another and are cut into batches. So a
batch may contain the end of one epoch and the start of the next, and each epoch has every example exactly once.
This is for data on the devices. For pictures see `pictures/batches.py`.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp


class Window(NamedTuple):
    """Two consecutive epochs of the stream: `orders` int32 [2, size], of epochs `epoch` and `epoch` + 1."""

    epoch: jax.Array
    orders: jax.Array

    def batch(self, step: jax.Array, batch_size: int) -> jax.Array:
        """Indices of the examples of a step, int32 [batch_size]. All of them must be in the window."""
        size = self.orders.shape[1]
        positions = step * batch_size + jnp.arange(batch_size)
        return self.orders[positions // size - self.epoch, positions % size]


def window(key: jax.Array, step: jax.Array, batch_size: int, size: int) -> Window:
    """The epoch in which `step` begins, and the next one. `size` is the number of examples, at least `batch_size`."""
    epoch = step * batch_size // size
    orders = [jax.random.permutation(jax.random.fold_in(key, epoch + i), size) for i in range(2)]
    return Window(epoch, jnp.stack(orders))


def window_end(step: int, batch_size: int, size: int) -> int:
    """The first step from `step` on whose batch is not completely in the window at `step`. Steps count from 0."""
    return (step * batch_size // size + 2) * size // batch_size
