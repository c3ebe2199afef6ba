from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax_resnet import models
from jax_resnet.models.layer_responses import LayerResponses, measure
from jax_resnet.platform.cpu import ONE_CALL_OPTIONS
from jax_resnet.training.step import cross_entropy

INPUTS = np.random.default_rng(0).normal(size=(2, 4, 8, 8, 3)).astype(np.float32)
LABELS = np.arange(8).reshape(2, 4)
JIT = partial(jax.jit, compiler_options=ONE_CALL_OPTIONS)


def responses(net: models.ResNet, change=lambda variables: variables) -> LayerResponses:
    variables = change(JIT(net.init)(jax.random.key(0), INPUTS[0]))
    return measure(net, variables, zip(INPUTS, LABELS, strict=True), cross_entropy, JIT)


def test_every_3x3_layer_in_order() -> None:
    def names(net: models.ResNet) -> list[str]:
        """The names alone need only shapes: nothing is computed."""
        variables = jax.eval_shape(net.init, jax.random.key(0), INPUTS[0])
        batches = zip(INPUTS, LABELS, strict=True)
        zeros = lambda function: lambda *of: jnp.zeros(jax.eval_shape(function, *of).shape)  # noqa: E731
        return measure(net, variables, batches, cross_entropy, jit=zeros).names

    basic = names(models.cifar_resnet(8, shortcut='C'))
    assert basic == ['stem/conv', *(f'stage{i}/unit1/conv{j}' for i in (1, 2, 3) for j in (1, 2))]
    assert names(models.cifar_resnet(11, unit='bottleneck')) == [
        'stem/conv',
        *(f'stage{i}/unit1/conv2' for i in (1, 2, 3)),
    ]


def test_the_response_is_after_batch_norm_and_before_addition_and_relu() -> None:
    """So that, with BatchNorm by the batch, its deviation is BatchNorm's scale."""

    def scaled(variables: dict) -> dict:
        variables['params']['stage2']['unit1']['norm2']['scale'] = jnp.full(32, 0.5)
        return variables

    net = models.cifar_resnet(8)
    std = dict(zip((r := responses(net, scaled)).names, r.std, strict=True))
    assert std['stage2/unit1/conv2'] == pytest.approx(0.5, rel=0.01)
    assert std['stage2/unit1/conv1'] == pytest.approx(1, rel=0.01)


@pytest.mark.soak
def test_the_gradient_is_that_of_the_mean_loss() -> None:
    """At the last layer, where what follows is short: ReLU, the mean, the head."""
    net = models.cifar_resnet(8, shortcut='none')
    variables = jax.jit(net.init)(jax.random.key(0), INPUTS[0])
    found = measure(net, variables, [(INPUTS[0], LABELS[0])], cross_entropy, JIT)
    keep = {'capture_intermediates': lambda m, _: m.name == 'norm2', 'mutable': ['batch_stats', 'intermediates']}
    y = net.apply(variables, INPUTS[0], train=True, **keep)[1]['intermediates']['stage3']['unit1']['norm2']['__call__'][
        0
    ]
    head = variables['params']['head']

    def loss(y: jax.Array) -> jax.Array:
        logits = jax.nn.relu(y).mean((1, 2)) @ head['kernel'] + head['bias']
        return -jax.nn.log_softmax(logits)[jnp.arange(4), LABELS[0]].mean()

    assert found.gradient_norm[-1] == pytest.approx(float(jnp.linalg.norm(jax.grad(loss)(y))), rel=1e-4)
    assert (found.gradient_norm > 0).all()


def test_a_response_that_is_constant_has_no_deviation() -> None:
    def constant(variables: dict) -> dict:
        variables['params']['stage2']['unit1']['norm2'] = {'scale': jnp.zeros(32), 'bias': jnp.full(32, 1234.567)}
        return variables

    r = responses(models.cifar_resnet(8), constant)
    assert r.std[r.names.index('stage2/unit1/conv2')] == pytest.approx(0, abs=1e-2)
