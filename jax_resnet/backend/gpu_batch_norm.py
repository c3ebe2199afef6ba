"""BatchNorm in few kernels: both sums of a pass in one reduction, forward and backward, with its own gradient.

XLA makes kernels of each reduction, and does not merge those of x and x squared. Here they are the two operands of one.
What lies between the sums and the images is a few numbers a channel, computed where it is used; only the reciprocal
of the standard deviation, which costs more than the others, is kept.
"""

from collections.abc import Sequence
from functools import partial

import jax
import jax.numpy as jnp
from jax import lax

from jax_resnet.models.batch_norm import to_float32


@partial(jax.custom_vjp, nondiff_argnums=(3,))
def normalize(
    x: jax.Array, scale: jax.Array, bias: jax.Array, epsilon: float
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """As `models.batch_norm.normalize`; the mean and variance are for the running statistics, and have no gradient."""
    return _forward(x, scale, bias, epsilon)[0]


def _forward(x: jax.Array, scale: jax.Array, bias: jax.Array, epsilon: float) -> tuple:
    wide = to_float32(x)
    mean, square = (total / _count(x) for total in two_sums(wide, jnp.square(wide), range(1, x.ndim - 1)))
    unclipped = square - jnp.square(mean)
    var = jnp.maximum(unclipped, 0)
    rsqrt = lax.optimization_barrier(lax.rsqrt(var + epsilon))
    y = (wide - _spread(mean, x)) * _spread(rsqrt * scale, x) + _spread(jnp.broadcast_to(bias, mean.shape), x)
    return (y.astype(x.dtype), mean, var), (x, scale, mean, unclipped, rsqrt)


def _backward(epsilon: float, saved: tuple, cotangents: tuple) -> tuple:
    x, scale, mean, unclipped, rsqrt = saved
    wide, cotangent, count = to_float32(x), to_float32(cotangents[0]), _count(x)
    d_bias, with_x = two_sums(cotangent, cotangent * wide, range(1, x.ndim - 1))
    d_scale = rsqrt * (with_x - mean * d_bias)
    by_var = jnp.where(unclipped > 0, rsqrt * d_scale / count, 0)
    by_mean = d_bias / count
    centred = cotangent - _spread(by_mean, x) - (wide - _spread(mean, x)) * _spread(by_var, x)
    d_x = centred * _spread(rsqrt * scale, x)
    return d_x.astype(x.dtype), d_scale.sum(0), d_bias.sum(0)


normalize.defvjp(_forward, _backward)


def two_sums(a: jax.Array, b: jax.Array, over: Sequence[int]) -> tuple[jax.Array, jax.Array]:
    """Of both over the same axes, by one reduction."""
    zero = jnp.zeros((), a.dtype)
    return lax.reduce((a, b), (zero, zero), lambda x, y: (x[0] + y[0], x[1] + y[1]), over)


def _count(x: jax.Array) -> int:
    """Numbers that a statistic is of."""
    return x.size // (x.shape[0] * x.shape[-1])


def _spread(of_channels: jax.Array, x: jax.Array) -> jax.Array:
    """[groups, channels] beside x, [groups, ..., channels]."""
    return jnp.expand_dims(of_channels, range(1, x.ndim - 1))
