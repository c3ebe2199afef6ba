"""BatchNorm with few GPU kernels and a hand-written gradient. Each pass computes its two sums in one reduction.

XLA makes separate kernels for each reduction, and does not merge the sums of x and of x squared. Here they are the two
operands of one reduction. The other values per channel are computed again where they are used. Only the reciprocal of
the standard deviation is kept, because it costs more than the others.
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
    """Computes what `models.batch_norm.normalize` computes. The returned mean and variance have no gradient."""
    return _forward(x, scale, bias, epsilon)[0]


def _forward(x: jax.Array, scale: jax.Array, bias: jax.Array, epsilon: float) -> tuple:
    wide = to_float32(x)
    mean, square = (total / _count(x) for total in two_sums(wide, jnp.square(wide), range(1, x.ndim - 1)))
    unclipped = square - jnp.square(mean)
    var = jnp.maximum(unclipped, 0)
    rsqrt = lax.optimization_barrier(lax.rsqrt(var + epsilon))
    y = (wide - _broadcast(mean, x)) * _broadcast(rsqrt * scale, x) + _broadcast(jnp.broadcast_to(bias, mean.shape), x)
    return (y.astype(x.dtype), mean, var), (x, scale, mean, unclipped, rsqrt)


def _backward(epsilon: float, saved: tuple, cotangents: tuple) -> tuple:
    x, scale, mean, unclipped, rsqrt = saved
    wide, cotangent, count = to_float32(x), to_float32(cotangents[0]), _count(x)
    d_bias, cotangent_x_sum = two_sums(cotangent, cotangent * wide, range(1, x.ndim - 1))
    d_scale = rsqrt * (cotangent_x_sum - mean * d_bias)
    var_term = jnp.where(unclipped > 0, rsqrt * d_scale / count, 0)
    mean_term = d_bias / count
    centred = cotangent - _broadcast(mean_term, x) - (wide - _broadcast(mean, x)) * _broadcast(var_term, x)
    d_x = centred * _broadcast(rsqrt * scale, x)
    return d_x.astype(x.dtype), d_scale.sum(0), d_bias.sum(0)


normalize.defvjp(_forward, _backward)


def two_sums(a: jax.Array, b: jax.Array, axes: Sequence[int]) -> tuple[jax.Array, jax.Array]:
    """Sums two arrays of the same shape and dtype over the same axes, in one reduction."""
    zero = jnp.zeros((), a.dtype)
    return lax.reduce((a, b), (zero, zero), lambda x, y: (x[0] + y[0], x[1] + y[1]), axes)


def _count(x: jax.Array) -> int:
    """Returns how many numbers of x [groups, ..., channels] belong to one group and channel."""
    return x.size // (x.shape[0] * x.shape[-1])


def _broadcast(statistic: jax.Array, x: jax.Array) -> jax.Array:
    """Adds axes to a statistic [groups, channels], so that it broadcasts to x [groups, ..., channels]."""
    return jnp.expand_dims(statistic, range(1, x.ndim - 1))
