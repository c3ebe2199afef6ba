from functools import partial

import jax
import jax.numpy as jnp
import optax
import pytest
from msgspec.structs import replace

from jax_resnet import models
from jax_resnet.config.fields import Optimizer
from jax_resnet.platform.flat import Flat
from jax_resnet.training import optimizer

PARAMS = {'conv': {'kernel': jnp.array([2.0])}, 'norm': {'scale': jnp.array([1.0]), 'bias': jnp.array([4.0])}}
CONFIG = Optimizer(weight_decay=0.1)


def after(config: Optimizer, steps: int) -> dict:
    """Returns the parameters after some steps with gradient 1 and learning rate 0.5."""
    tx = optimizer.create(config, optax.constant_schedule(0.5))
    params, state = PARAMS, tx.init(PARAMS)
    ones = {'conv': {'kernel': jnp.ones(1)}, 'norm': {'scale': jnp.ones(1), 'bias': jnp.ones(1)}}
    for _ in range(steps):
        updates, state = tx.update(ones, state, params)
        params = optax.apply_updates(params, updates)
    return params


def test_decay_is_added_to_the_gradient_before_the_momentum() -> None:
    params = after(CONFIG, 2)
    first = 2 - 0.5 * (1 + 0.1 * 2)  # velocity 1.2
    second = first - 0.5 * (0.9 * 1.2 + 1 + 0.1 * first)
    assert float(params['conv']['kernel'][0]) == pytest.approx(second)
    assert float(params['norm']['scale'][0]) == pytest.approx(1 - 0.5 - 0.5 * 1.9)  # does not decay


def test_decay_on_all_but_batch_norm() -> None:
    params = PARAMS | {'head': {'kernel': jnp.ones((1, 1)), 'bias': jnp.ones(1)}}
    assert optimizer.mask(optimizer.DECAYED['all_but_batch_norm'], params) == {
        'conv': {'kernel': True}, 'norm': {'scale': False, 'bias': False}, 'head': {'kernel': True, 'bias': True},
    }  # fmt: skip
    assert all(jax.tree.leaves(optimizer.mask(optimizer.DECAYED['all'], params)))


@pytest.mark.parametrize('decay', optimizer.DECAYED)
@pytest.mark.parametrize('shortcut', ['B', 'exclusive_gating_-6'])
def test_packed_arrays_decay_like_the_unpacked_ones(decay: str, shortcut: str) -> None:
    net = models.cifar_resnet(8, shortcut=shortcut)
    params = jax.eval_shape(net.init, jax.random.key(0), jnp.zeros((1, 8, 8, 3)))['params']
    flat = jax.eval_shape(Flat.from_tree, params)
    for is_selected in (optimizer.DECAYED[decay], lambda name: 'head/' in name):
        mask = partial(optimizer.mask, is_selected)
        sizes = [
            sum(x.size for x, selected in zip(*map(jax.tree.leaves, (tree, mask(tree))), strict=True) if selected)
            for tree in (params, flat)
        ]
        assert sizes[0] == sizes[1] > 0


@pytest.mark.parametrize('nesterov', [False, True])
def test_momentum_of_steps(nesterov: bool) -> None:
    """It is v <- m v + rate g, as in Caffe. With momentum of gradients, v <- m v + g, and the rate multiplies v."""
    rates = [0.5, 0.5, 0.05]
    config = replace(CONFIG, momentum_of='steps', weight_decay=0.0, nesterov=nesterov)
    tx = optimizer.create(config, optax.join_schedules([optax.constant_schedule(rate) for rate in (0.5, 0.05)], [2]))
    params, state = {'conv': {'kernel': jnp.array([2.0])}}, None
    state, x, v = tx.init(params), 2.0, 0.0
    for rate in rates:
        updates, state = tx.update({'conv': {'kernel': jnp.ones(1)}}, state, params)
        params = optax.apply_updates(params, updates)
        v = 0.9 * v + rate
        x -= 0.9 * v + rate if nesterov else v
        assert float(params['conv']['kernel'][0]) == pytest.approx(x)
    with pytest.raises(ValueError, match="momentum_of='steps': is for name='sgd'"):
        optimizer.create(replace(config, name='adam'), optax.constant_schedule(0.5))


def test_the_head_can_have_another_learning_rate() -> None:
    params = {'conv1': {'kernel': jnp.ones(1)}, 'head': {'kernel': jnp.ones(1), 'bias': jnp.ones(1)}}
    tx = optimizer.create(replace(CONFIG, weight_decay=0.0), optax.constant_schedule(0.5), head_factor=10.0)
    updates, _ = tx.update(jax.tree.map(jnp.ones_like, params), tx.init(params), params)
    assert jax.tree.map(lambda x: float(x[0]), updates) == {
        'conv1': {'kernel': -0.5},
        'head': {'kernel': -5.0, 'bias': -5.0},
    }


def test_nesterov() -> None:
    params = after(replace(CONFIG, nesterov=True, weight_decay=0.0), 1)
    assert float(params['conv']['kernel'][0]) == pytest.approx(2 - 0.5 * 1.9)


def test_adam() -> None:
    """The first step has the size of the learning rate, for any gradient; `momentum` is b1."""
    config = replace(CONFIG, name='adam', weight_decay=0.0)
    params = after(config, 1)
    assert float(params['conv']['kernel'][0]) == pytest.approx(2 - 0.5, rel=1e-5)
    state = optimizer.create(replace(config, momentum=0.8), optax.constant_schedule(0.5)).init(PARAMS)
    _, state = optimizer.create(replace(config, momentum=0.8), optax.constant_schedule(0.5)).update(
        PARAMS, state, PARAMS
    )
    assert float(optax.tree.get(state, 'mu')['conv']['kernel'][0]) == pytest.approx(0.2 * 2)
