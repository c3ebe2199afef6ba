"""The maximum and its gradient are those of Flax's max pooling."""

from collections.abc import Callable
from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax_resnet.models.max_pool import max_pool


def flax_max_pool(x: jax.Array) -> jax.Array:
    return nn.max_pool(x, (3, 3), (2, 2), ((1, 1), (1, 1)))


@pytest.mark.parametrize('dtype', [jnp.float32, jnp.bfloat16])
@pytest.mark.parametrize('shape', [(2, 16, 16, 3), (2, 7, 10, 4), (1, 1, 1, 2)])
def test_values_and_gradients_are_those_of_flax(shape: tuple[int, ...], dtype: jnp.dtype) -> None:
    """Rounded numbers are equal in many windows. There the first one gets the gradient."""
    x = jnp.round(2 * jax.random.normal(jax.random.key(0), shape)).astype(dtype)
    shape = jax.eval_shape(max_pool, x).shape
    # Small whole numbers: their sums are exact in any order.
    cotangent = jnp.round(2 * jax.random.normal(jax.random.key(1), shape)).astype(dtype)

    def value_and_gradient(function: Callable, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        value, back = jax.vjp(function, x)
        return value, back(cotangent)[0]

    ours, theirs = (jax.jit(partial(value_and_gradient, function))(x) for function in (max_pool, flax_max_pool))
    jax.tree.map(np.testing.assert_array_equal, ours, theirs)
    assert ours[1].dtype == dtype


def test_the_gradient_is_no_scatter() -> None:
    x = jnp.zeros((1, 8, 8, 2))
    text = jax.jit(jax.grad(lambda x: max_pool(x).sum())).lower(x).as_text()
    assert 'scatter' not in text and 'scatter' in jax.jit(jax.grad(lambda x: flax_max_pool(x).sum())).lower(x).as_text()


def test_forward_mode_and_not_a_number() -> None:
    x = jax.random.normal(jax.random.key(0), (1, 6, 6, 1))
    direction = jnp.arange(36.0).reshape(x.shape)
    ours, theirs = (
        jax.jit(partial(jax.jvp, function))((x,), (direction,))[1] for function in (max_pool, flax_max_pool)
    )
    np.testing.assert_array_equal(ours, theirs)
    assert jnp.isnan(jax.jit(max_pool)(x.at[0, 2, 2, 0].set(jnp.nan))).sum() == 1
