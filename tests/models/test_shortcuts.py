import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from jax_resnet import models
from jax_resnet.models.layer_factory import LayerFactory
from jax_resnet.models.shortcuts import PaddedIdentity, Projection

X = np.random.default_rng(0).normal(size=(2, 8, 8, 3)).astype(np.float32)
PARTS = LayerFactory(nn.Conv, models.BatchNorm, nn.initializers.lecun_normal())


def zeros(channels: int, size: int) -> jax.Array:
    """A branch without output, so that the sum is the shortcut's."""
    return jnp.zeros((2, size, size, channels))


def test_option_a_subsamples_and_pads_after_the_old_channels() -> None:
    y, variables = PaddedIdentity(6, 2, PARTS).init_with_output(jax.random.key(0), X, zeros(6, 4))
    assert not variables
    np.testing.assert_array_equal(y[..., :3], X[:, ::2, ::2])
    assert not y[..., 3:].any()


def test_both_are_the_identity_where_shapes_agree() -> None:
    for shortcut in (PaddedIdentity, Projection):
        y, variables = shortcut(3, 1, PARTS).init_with_output(jax.random.key(0), X, zeros(3, 8))
        assert not variables
        np.testing.assert_array_equal(y, X)


def test_option_b_is_a_strided_1x1_convolution_with_norm() -> None:
    y, variables = Projection(6, 2, PARTS).init_with_output(jax.random.key(0), X, zeros(6, 4))
    kernel = variables['params']['conv']['kernel']
    expected = np.einsum('nhwi,io->nhwo', X[:, ::2, ::2], kernel[0, 0]) / np.sqrt(1 + 1e-5)
    np.testing.assert_allclose(y, expected, atol=1e-5)
    assert set(variables['params']['norm']) == {'scale', 'bias'}
