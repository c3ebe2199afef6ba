"""Functions of arrays do not depend on the options of JAX that a user may have set."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax_resnet.data.preprocessing import Augmentation, ColourAugmentation, Preprocess, channel, pixel_mean
from jax_resnet.models import LAYERS, ResNet, Stem
from jax_resnet.platform.cpu import ONE_CALL_OPTIONS
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
    net = ResNet((1, 1), (4, 8), (LAYERS['one_layer'],) * 2, Stem(4), shortcut='dropout', dtype=jnp.bfloat16)

    def loss(params: Any, rest: Any, images: jax.Array) -> Any:
        given = {**rest, 'params': params}
        logits, updates = net.apply(given, images, train=True, mutable=['batch_stats'], rngs={'dropout': KEY})
        return jnp.square(logits).mean(), updates

    @partial(jax.jit, compiler_options=ONE_CALL_OPTIONS)
    def run(images: jax.Array) -> Any:
        variables = net.init(KEY, images)
        gradient = jax.grad(loss, has_aux=True)(variables['params'], variables, images)
        return variables, net.apply(variables, images), gradient

    return run(np.float32(PIXELS) / 255)


def views() -> Any:
    """Returns random and fixed views."""
    mean, normal = pixel_mean(PIXELS), channel((0.4, 0.5, 0.6), (0.2, 0.2, 0.3))
    colours = ColourAugmentation(True, 0.4, 0.1)(KEYS, jnp.asarray(PIXELS), normal)
    return Augmentation()(KEY, jnp.asarray(PIXELS), mean), colours, Preprocess(mean, 8)(jnp.asarray(PIXELS))


@pytest.mark.parametrize('function', [network, views])
def test_dtypes_and_numbers_are_the_same_under_other_options(function: Any) -> None:
    expected, before = function(), {name: getattr(jax.config, f'jax_{name}') for name in OTHERS}
    try:
        for name, value in OTHERS.items():
            jax.config.update(f'jax_{name}', value)
        found = function()
    finally:
        for name, value in before.items():
            jax.config.update(f'jax_{name}', value)
    for outputs in (expected, found):
        assert {x.dtype.name for x in jax.tree.leaves(outputs)} == {'float32'}
    assert_equal_trees(found, expected)
