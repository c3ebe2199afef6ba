"""Stacking and counting of variables. `tests/test_parameter_counts.py` has the counts of all networks."""

from functools import partial

import jax
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
    one_unit = {'stage1': {'unit1': {'conv1': np.zeros(3)}}}
    assert_equal_trees(models.stack(one_unit), one_unit)


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


@pytest.mark.parametrize('stacked', [False, True])
def test_multiply_adds_by_hand(stacked: bool) -> None:
    """ResNet-14: each 3x3 convolution costs 9 x channels in x channels out x positions."""
    first, second, third = 16 * 16 * 32**2, 32 * 32 * 16**2, 64 * 64 * 8**2
    convolutions = 3 * 16 * 32**2 + 4 * first + (second // 2 + 3 * second) + (third // 2 + 3 * third)
    projections = second // 2 + third // 2
    net = models.cifar_resnet(14, shortcut='B', stacked=stacked)
    assert models.count_multiply_adds(net, (32, 32, 3)) == 9 * convolutions + 640 + projections


def test_describe() -> None:
    lines = models.describe(models.cifar_resnet(20), (32, 32, 3)).splitlines()
    assert [line.split()[0] for line in lines[1:]] == ['stem', 'stage1', 'stage2', 'stage3', 'head', 'total']
    assert lines[-1].split()[1:] == ['269,722', '40,551,040']
