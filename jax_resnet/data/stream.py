"""The sample stream: which examples each step sees, a pure function of (key, step).

Consecutive batches of consecutive permutations, one an epoch, so that a batch may straddle two epochs,
and no example is dropped or seen twice in one.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp


class Window(NamedTuple):
    """Two consecutive epochs of the stream: `orders` int32 [2, size], of epochs `epoch` and `epoch` + 1."""

    epoch: jax.Array
    orders: jax.Array

    def batch(self, step: jax.Array, batch_size: int) -> jax.Array:
        """int32 [batch_size]: the examples of a step that lies in the window."""
        size = self.orders.shape[1]
        positions = step * batch_size + jnp.arange(batch_size)
        return self.orders[positions // size - self.epoch, positions % size]


def window(key: jax.Array, step: jax.Array, batch_size: int, size: int) -> Window:
    """The epoch in which `step` begins, and the next; `size` examples an epoch, at least a batch."""
    epoch = step * batch_size // size
    orders = [jax.random.permutation(jax.random.fold_in(key, epoch + i), size) for i in range(2)]
    return Window(epoch, jnp.stack(orders))


def window_end(step: int, batch_size: int, size: int) -> int:
    """The step after the last one that the window at `step` holds whole."""
    return (step * batch_size // size + 2) * size // batch_size
