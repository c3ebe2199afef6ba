"""Functions of arrays do not depend on the options of JAX that a user may have set."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax_resnet import models
from jax_resnet.data.preprocessing import Augmentation, ColourAugmentation, Preprocess, channel, pixel_mean
from tests.conftest import assert_equal_trees

OTHERS = {
    'enable_x64': True,
    'numpy_rank_promotion': 'raise',
    'numpy_dtype_promotion': 'strict',
    'threefry_partitionable': False,
}
KEY, KEYS = jax.random.key(0), jax.random.split(jax.random.key(1), 4)
PIXELS = np.random.default_rng(0).integers(0, 256, (4, 12, 12, 3), np.uint8)


def network() -> Any:
    """Returns variables, logits, and gradients and updates, of a bfloat16 network with dropout."""
    net = models.cifar_resnet(8, shortcut='dropout', dtype=jnp.bfloat16)
    images = np.float32(PIXELS) / 255
    variables = jax.jit(net.init)(KEY, images)

    def loss(params: Any) -> Any:
        given = {**variables, 'params': params}
        logits, updates = net.apply(given, images, train=True, mutable=['batch_stats'], rngs={'dropout': KEY})
        return jnp.square(logits).mean(), updates

    return variables, jax.jit(net.apply)(variables, images), jax.jit(jax.grad(loss, has_aux=True))(variables['params'])


def views() -> Any:
    """Returns random and fixed views."""
    mean, normal = pixel_mean(PIXELS), channel((0.4, 0.5, 0.6), (0.2, 0.2, 0.3))
    colours = ColourAugmentation(True, 0.4, 0.1)(KEYS, jnp.asarray(PIXELS), normal)
    return Augmentation()(KEY, jnp.asarray(PIXELS), mean), colours, Preprocess(mean, 8)(jnp.asarray(PIXELS))


@pytest.mark.parametrize('function', [network, views])
def test_dtypes_and_numbers_are_the_same_under_other_options(function: Any) -> None:
    expected = function()
    assert {x.dtype.name for x in jax.tree.leaves(expected)} == {'float32'}
    for name, value in OTHERS.items():
        before = getattr(jax.config, f'jax_{name}')
        jax.config.update(f'jax_{name}', value)
        try:
            found = function()
        finally:
            jax.config.update(f'jax_{name}', before)
        assert {x.dtype.name for x in jax.tree.leaves(found)} == {'float32'}, name
        assert_equal_trees(found, expected)
