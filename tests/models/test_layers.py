"""Max pooling and its gradient against Flax's, average pooling, and dropouts."""

from collections.abc import Callable
from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax_resnet import models
from jax_resnet.models.layers import average_pool, max_pool

X = jnp.asarray(np.random.default_rng(0).normal(size=(2, 6, 4, 3)), jnp.float32)


def flax_max_pool(x: jax.Array) -> jax.Array:
    return nn.max_pool(x, (3, 3), (2, 2), ((1, 1), (1, 1)))


@pytest.mark.parametrize('dtype', [jnp.float32, jnp.bfloat16])
@pytest.mark.parametrize('shape', [(2, 16, 16, 3), (2, 7, 10, 4), (1, 1, 1, 2)])
def test_maxima_and_gradients_are_those_of_flax_without_a_scatter(shape: tuple[int, ...], dtype: jnp.dtype) -> None:
    """Rounded numbers are equal in many windows. There the first one gets the gradient."""
    x = jnp.round(2 * jax.random.normal(jax.random.key(0), shape)).astype(dtype)
    # Small integers: their sums are exact in any order.
    cotangent = jnp.round(2 * jax.random.normal(jax.random.key(1), jax.eval_shape(max_pool, x).shape)).astype(dtype)

    def value_and_gradient(function: Callable, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        value, back = jax.vjp(function, x)
        return value, back(cotangent)[0]

    programs = [jax.jit(partial(value_and_gradient, function)) for function in (max_pool, flax_max_pool)]
    ours, theirs = (program(x) for program in programs)
    jax.tree.map(np.testing.assert_array_equal, ours, theirs)
    assert ours[1].dtype == dtype
    assert ['scatter' in program.lower(x).as_text() for program in programs] == [False, True]


def test_max_pools_forward_mode_and_nan() -> None:
    x = jax.random.normal(jax.random.key(0), (1, 6, 6, 1))
    direction = jnp.arange(36.0).reshape(x.shape)
    ours, theirs = (jax.jvp(function, (x,), (direction,))[1] for function in (max_pool, flax_max_pool))
    np.testing.assert_array_equal(ours, theirs)
    assert jnp.isnan(max_pool(x.at[0, 2, 2, 0].set(jnp.nan))).sum() == 1


def test_average_pooling_of_equal_regions() -> None:
    np.testing.assert_array_equal(average_pool(X, 1)[:, 0, 0], X.mean((1, 2)))
    expected = np.float64(X).reshape(2, 2, 3, 2, 2, 3).mean((2, 4))
    np.testing.assert_allclose(average_pool(X, 2), expected, atol=1e-6)


@pytest.mark.parametrize('dtype', [jnp.bfloat16, jnp.float16])
def test_narrow_maps_are_averaged_in_float32(dtype: jnp.dtype) -> None:
    narrow = X.astype(dtype)
    pooled, pullback = jax.vjp(lambda x: average_pool(x, 1), narrow)
    assert pooled.dtype == jnp.float32
    np.testing.assert_array_equal(pooled, average_pool(narrow.astype(jnp.float32), 1))
    (gradient,) = pullback(jnp.ones_like(pooled))
    np.testing.assert_array_equal(gradient, jnp.full(X.shape, 1 / 24, dtype))


def test_drop_block_drops_squares_at_its_rate_and_keeps_the_mean() -> None:
    x = jnp.ones((32, 16, 16, 8))
    y = np.asarray(models.DropBlock(0.2, block_size=3).apply({}, x, rngs={'dropout': jax.random.key(0)}))
    assert (y == 0).mean() == pytest.approx(0.2, abs=0.03)
    np.testing.assert_allclose(y.mean((1, 2, 3)), 1, rtol=1e-5)
    alone = [  # a zero whose neighbours on a row are not
        (y[:, :, 1:-1] == 0) & (y[:, :, :-2] != 0) & (y[:, :, 2:] != 0),
        (y[:, 1:-1] == 0) & (y[:, :-2] != 0) & (y[:, 2:] != 0),
    ]
    assert not any(a.any() for a in alone)


def test_dropouts_act_in_training_alone() -> None:
    images = np.random.default_rng(0).normal(size=(2, 8, 8, 3)).astype(np.float32)
    plain = models.scaled_resnet((1,), width=4, windows=(3,), shortcut_windows=(1,), num_classes=0)
    variables = jax.jit(plain.init)(jax.random.key(0), images)
    features = plain.apply(variables, images, train=True, mutable=['batch_stats'])[0]
    for options in ({'drop_block': 0.3}, {'dropout': 0.5}):
        net = models.scaled_resnet((1,), width=4, windows=(3,), shortcut_windows=(1,), num_classes=0, **options)
        np.testing.assert_array_equal(net.apply(variables, images), plain.apply(variables, images))
        rngs = {'dropout': jax.random.key(1)}
        assert (net.apply(variables, images, train=True, mutable=['batch_stats'], rngs=rngs)[0] != features).any()
