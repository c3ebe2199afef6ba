"""Stacking and counting of variables. `tests/test_parameter_counts.py` has the counts of all networks."""

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


@pytest.mark.parametrize('channels', [1, 3, 4, 7])
def test_channels_by_timms_rule(variables: dict, channels: int) -> None:
    """timm/models/_manipulate.py, adapt_input_conv."""
    kernel = variables['params']['stem']['conv']['kernel']
    found = models.with_channels(variables, channels)
    tiled = np.concatenate([kernel] * 3, 2)[:, :, :channels] * (3 / channels)
    expected = kernel.sum(2, keepdims=True) if channels == 1 else tiled
    np.testing.assert_allclose(found['params']['stem']['conv']['kernel'], expected, rtol=1e-6)
    assert NET.apply(found, IMAGES[:, :, :, :1].repeat(channels, 3)).shape == (4, 10)
    if channels != 3:
        with pytest.raises(ValueError, match=f'the network must have 3; got 3, and {channels}'):
            models.with_channels(found, 3)


@pytest.mark.parametrize('stacked', [False, True])
def test_features_are_the_stages_outputs_and_the_heads_input(variables: dict, stacked: bool) -> None:
    net, saved = NET.clone(stacked=stacked), models.stack(variables) if stacked else variables
    found = models.features(net, saved, IMAGES)
    shapes = {name: x.shape[1:] for name, x in found.items()}
    assert shapes == {
        'stem': (16, 16, 16), 'stage1': (16, 16, 16), 'stage2': (8, 8, 32), 'stage3': (4, 4, 64), 'pooled': (64,)
    }  # fmt: skip
    head = variables['params']['head']
    np.testing.assert_allclose(found['pooled'] @ head['kernel'] + head['bias'], net.apply(saved, IMAGES), atol=1e-4)
    np.testing.assert_allclose(found['stage3'].mean((1, 2)), found['pooled'], atol=1e-4)
    body = {'params': {k: x for k, x in saved['params'].items() if k != 'head'}, 'batch_stats': saved['batch_stats']}
    np.testing.assert_array_equal(models.features(net.clone(num_classes=0), body, IMAGES)['pooled'], found['pooled'])
