import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax_resnet.models.end import average_pool

X = jnp.asarray(np.random.default_rng(0).normal(size=(2, 6, 4, 3)), jnp.float32)


def test_the_mean_of_each_part() -> None:
    np.testing.assert_array_equal(average_pool(X, 1)[:, 0, 0], X.mean((1, 2)))
    expected = np.float64(X).reshape(2, 2, 3, 2, 2, 3).mean((2, 4))
    np.testing.assert_allclose(average_pool(X, 2), expected, atol=1e-6)
    with pytest.raises(ValueError, match='pooled_size must divide the size of the last map, 6 x 4; got 4'):
        average_pool(X, 4)


@pytest.mark.parametrize('dtype', [jnp.bfloat16, jnp.float16])
def test_narrow_maps_are_averaged_in_float32(dtype: jnp.dtype) -> None:
    narrow = X.astype(dtype)
    pooled, pullback = jax.vjp(lambda x: average_pool(x, 1), narrow)
    assert pooled.dtype == jnp.float32
    np.testing.assert_array_equal(pooled, average_pool(narrow.astype(jnp.float32), 1))
    (gradient,) = pullback(jnp.ones_like(pooled))
    np.testing.assert_array_equal(gradient, jnp.full(X.shape, 1 / 24, dtype))
