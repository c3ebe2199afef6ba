import jax.numpy as jnp
import optax
import pytest

from jax_resnet.training import optimizer

PARAMS = {'conv': {'kernel': jnp.array([2.0])}, 'norm': {'scale': jnp.array([1.0]), 'bias': jnp.array([4.0])}}
CONFIG = {'name': 'sgd', 'momentum': 0.9, 'nesterov': False, 'weight_decay': 0.1, 'decay': 'kernels'}


def after(config: dict, steps: int) -> dict:
    """Parameters after steps with gradient 1 and rate 0.5."""
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


def test_decay_on_all() -> None:
    params = after(CONFIG | {'decay': 'all'}, 1)
    assert float(params['norm']['bias'][0]) == pytest.approx(4 - 0.5 * (1 + 0.1 * 4))


def test_nesterov() -> None:
    params = after(CONFIG | {'nesterov': True, 'weight_decay': 0.0}, 1)
    assert float(params['conv']['kernel'][0]) == pytest.approx(2 - 0.5 * 1.9)


def test_adam() -> None:
    """The first step has the size of the rate, whatever the gradient's; `momentum` is b1."""
    config = CONFIG | {'name': 'adam', 'weight_decay': 0.0}
    params = after(config, 1)
    assert float(params['conv']['kernel'][0]) == pytest.approx(2 - 0.5, rel=1e-5)
    state = optimizer.create(config | {'momentum': 0.8}, optax.constant_schedule(0.5)).init(PARAMS)
    _, state = optimizer.create(config | {'momentum': 0.8}, optax.constant_schedule(0.5)).update(PARAMS, state, PARAMS)
    assert float(optax.tree.get(state, 'mu')['conv']['kernel'][0]) == pytest.approx(0.2 * 2)


def test_one_line_says_what_decays() -> None:
    assert optimizer.describe_decay(CONFIG, PARAMS) == 'weight decay 0.1 on kernels: 1 of 3 parameters'
    assert optimizer.describe_decay(CONFIG | {'decay': 'all'}, PARAMS) == 'weight decay 0.1 on all: 3 of 3 parameters'
