from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jax_resnet import models
from tests.conftest import assert_equal_trees

NET = models.cifar_resnet(20, shortcut='B')
IMAGES = np.random.default_rng(0).normal(size=(4, 16, 16, 3)).astype(np.float32)


@pytest.fixture(scope='module')
def variables() -> dict:
    """Variables of NET, from random numbers, without a program that must be compiled."""
    shapes, rng = jax.eval_shape(NET.init, jax.random.key(0), IMAGES), np.random.default_rng(1)
    return jax.tree.map(lambda x: rng.normal(scale=0.1, size=x.shape).astype(np.float32), shapes)


def test_there_and_back_is_exact(variables: dict) -> None:
    stacked = models.stack(variables)
    assert jax.tree.structure(stacked) == jax.tree.structure(
        jax.eval_shape(NET.clone(stacked=True).init, jax.random.key(0), IMAGES)
    )
    assert_equal_trees(models.unstack(stacked), variables)
    assert_equal_trees(models.stack(models.unstack(stacked)), stacked)
    np.testing.assert_array_equal(
        stacked['params']['stage3']['rest']['conv2']['kernel'][1],
        variables['params']['stage3']['unit3']['conv2']['kernel'],
    )


def test_one_unit_a_stage_has_no_rest() -> None:
    net = models.cifar_resnet(8)
    variables = jax.eval_shape(net.init, jax.random.key(0), IMAGES)
    zeros = jax.tree.map(lambda x: jnp.zeros(x.shape), variables)
    assert list(models.stack(zeros)['params']['stage1']) == ['unit1']
    assert_equal_trees(models.unstack(models.stack(zeros)), zeros)


def test_unrolled_and_stacked_agree(variables: dict) -> None:
    """Outputs and statistics of the three ways to run the same stack."""
    variables = models.stack(variables)
    results = [
        jax.jit(lambda net=net: net.apply(variables, IMAGES, train=True, mutable=['batch_stats']))()
        for net in (NET.clone(stacked=True), NET.clone(stacked=True, unroll=2))
    ]
    unstacked = NET.apply(models.unstack(variables), IMAGES, train=True, mutable=['batch_stats'])
    results.append((unstacked[0], models.stack(unstacked[1])))
    for other in results[1:]:
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=2e-5), results[0], other)


def test_intermediates_of_stacked_units_are_kept(variables: dict) -> None:
    net = NET.clone(stacked=True)
    apply = partial(net.apply, capture_intermediates=lambda m, _: isinstance(m, models.Unit))
    _, captured = jax.eval_shape(apply, models.stack(variables), IMAGES)
    assert captured['intermediates']['stage2']['rest']['__call__'][0].shape == (2, 4, 8, 8, 32)


def test_an_optimizers_state_converts_too(variables: dict) -> None:
    tx = optax.chain(optax.add_decayed_weights(1e-4), optax.sgd(0.1, momentum=0.9))
    state, stacked = tx.init(variables['params']), tx.init(models.stack(variables)['params'])
    assert jax.tree.structure(models.stack(state)) == jax.tree.structure(stacked)
    assert_equal_trees(models.unstack(models.stack(state)), state)
