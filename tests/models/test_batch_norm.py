import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax_resnet import models
from jax_resnet.models.batch_norm import count_groups

X = np.random.default_rng(0).normal(2, 3, (12, 5, 5, 4)).astype(np.float32)


def apply(x: np.ndarray, **attributes) -> tuple:
    norm = models.BatchNorm(use_running_average=False, **attributes)
    variables = norm.init(jax.random.key(0), x)
    return norm.apply(variables, x, mutable=['batch_stats'])


@pytest.mark.parametrize('group_size', [4, 6, 12, 0, 100])
def test_each_group_is_normalized_by_itself(group_size: int) -> None:
    y, updates = apply(X, group_size=group_size)
    size = group_size if group_size in (4, 6) else 12
    groups = X.astype(np.float64).reshape(12 // size, -1, 4)
    mean, var = groups.mean(1, keepdims=True), groups.var(1, keepdims=True)
    np.testing.assert_allclose(y.reshape(groups.shape), (groups - mean) / np.sqrt(var + 1e-5), atol=2e-5)
    np.testing.assert_allclose(updates['batch_stats']['mean'], 0.1 * mean.mean((0, 1)), rtol=1e-5)
    np.testing.assert_allclose(updates['batch_stats']['var'], 0.9 + 0.1 * var.mean((0, 1)), rtol=1e-5)


def test_evaluation_uses_the_running_statistics() -> None:
    variables = {
        'params': {'scale': jnp.array([1.0, 2, 3, 4]), 'bias': jnp.array([0.0, 1, 2, 3])},
        'batch_stats': {'mean': jnp.full(4, 2.0), 'var': jnp.full(4, 9.0)},
    }
    y = models.BatchNorm(use_running_average=True, group_size=5).apply(variables, X)
    np.testing.assert_allclose(y, (X - 2) / np.sqrt(9 + 1e-5) * [1, 2, 3, 4] + [0, 1, 2, 3], atol=1e-5)


def test_bfloat16_statistics_are_those_of_float32() -> None:
    x = X.astype(jnp.bfloat16)
    y, updates = apply(x)
    assert y.dtype == jnp.bfloat16
    np.testing.assert_allclose(updates['batch_stats']['mean'], 0.1 * x.astype(np.float32).mean((0, 1, 2)), rtol=1e-5)


def test_count_groups() -> None:
    assert [count_groups(128, g) for g in (0, 64, 128, 200)] == [1, 2, 1, 1]
    with pytest.raises(ValueError, match='the batch size, 128, must be a multiple of the BatchNorm group size, 48'):
        count_groups(128, 48)
