"""Max pooling whose gradient is not a scatter. It is faster, and every device can add it in a fixed order."""

import flax.linen as nn
import jax
import jax.numpy as jnp

WINDOW, STRIDE, PADDING = 3, 2, 1


@jax.custom_jvp
def max_pool(x: jax.Array) -> jax.Array:
    """The maximum of each 3x3 window, with stride 2 and one row and column of padding on each side.

    The gradient of an output goes to the first of the largest inputs of its window, as with `nn.max_pool`, whose
    gradient is a scatter. If the largest input is not a number, the gradient is 0.

    Args:
        x: [batch, height, width, channels].

    Returns:
        [batch, ceil(height / 2), ceil(width / 2), channels].
    """
    return nn.max_pool(x, (WINDOW, WINDOW), (STRIDE, STRIDE), ((PADDING, PADDING), (PADDING, PADDING)))


@max_pool.defjvp
def _tangent(primals: tuple[jax.Array], tangents: tuple[jax.Array]) -> tuple[jax.Array, jax.Array]:
    (x,), (dx,) = primals, tangents
    largest = max_pool(x)
    found, tangent = jnp.zeros(largest.shape, bool), jnp.zeros_like(largest)
    for value, change in zip(_slices(x, largest, -jnp.inf), _slices(dx, largest, 0.0), strict=True):
        is_first = (value == largest) & ~found
        found, tangent = found | is_first, tangent + jnp.where(is_first, change, 0)
    return largest, tangent


def _slices(x: jax.Array, like: jax.Array, padding: float) -> list[jax.Array]:
    """The inputs of each position in a window, in order; each slice has the shape of the output `like`."""
    padded = jnp.pad(x, ((0, 0), (PADDING, PADDING), (PADDING, PADDING), (0, 0)), constant_values=padding)
    rows, columns = (STRIDE * (side - 1) + 1 for side in like.shape[1:3])
    return [
        padded[:, row : row + rows : STRIDE, column : column + columns : STRIDE]
        for row in range(WINDOW)
        for column in range(WINDOW)
    ]
