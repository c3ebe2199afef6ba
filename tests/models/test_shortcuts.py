from functools import partial

import flax.linen as nn
import jax
import numpy as np

from jax_resnet import models

X = np.random.default_rng(0).normal(size=(2, 8, 8, 3)).astype(np.float32)
PARTS = {'conv': partial(nn.Conv, use_bias=False), 'norm': partial(models.BatchNorm, use_running_average=True)}


def test_option_a_subsamples_and_pads_after_the_old_channels() -> None:
    shortcut = models.PaddedIdentity(channels=6, stride=2, **PARTS)
    y, variables = shortcut.init_with_output(jax.random.key(0), X)
    assert not variables
    np.testing.assert_array_equal(y[..., :3], X[:, ::2, ::2])
    assert not y[..., 3:].any()


def test_both_are_the_identity_where_shapes_agree() -> None:
    for shortcut in (models.PaddedIdentity, models.Projection):
        y, variables = shortcut(channels=3, stride=1, **PARTS).init_with_output(jax.random.key(0), X)
        assert not variables
        np.testing.assert_array_equal(y, X)


def test_option_b_is_a_strided_1x1_convolution_with_norm() -> None:
    shortcut = models.Projection(channels=6, stride=2, **PARTS)
    y, variables = shortcut.init_with_output(jax.random.key(0), X)
    kernel = variables['params']['conv']['kernel']
    expected = np.einsum('nhwi,io->nhwo', X[:, ::2, ::2], kernel[0, 0]) / np.sqrt(1 + 1e-5)
    np.testing.assert_allclose(y, expected, atol=1e-5)
    assert set(variables['params']['norm']) == {'scale', 'bias'}
