from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import pytest

from jax_resnet import models

IMAGES = jnp.zeros((2, 32, 32, 3))


def shapes(net: models.ResNet, images: jax.Array = IMAGES) -> dict:
    return jax.eval_shape(net.init, jax.random.key(0), images)


@pytest.mark.parametrize('depth', [0, 2, 7, 21, 100, -4])
def test_wrong_depth_names_the_rule(depth: int) -> None:
    with pytest.raises(ValueError, match=rf'depth must be 6n\+2, such as 20, 32, 44, 56, 110; got {depth}'):
        models.cifar_resnet(depth)


def test_names_can_be_guessed() -> None:
    params = shapes(models.cifar_resnet(20, shortcut='B'))['params']
    assert set(params) == {'stem', 'stage1', 'stage2', 'stage3', 'head'}
    assert set(params['stage2']) == {'unit1', 'unit2', 'unit3'}
    assert set(params['stage2']['unit1']) == {'conv1', 'norm1', 'conv2', 'norm2', 'shortcut'}
    assert params['stage2']['unit2']['conv1']['kernel'].shape == (3, 3, 32, 32)
    assert params['stage2']['unit1']['shortcut']['conv']['kernel'].shape == (1, 1, 16, 32)
    assert params['head']['kernel'].shape == (64, 10)
    stacked = shapes(models.cifar_resnet(20, stacked=True))['params']
    assert stacked['stage2']['rest']['conv1']['kernel'].shape == (2, 3, 3, 32, 32)


def test_outputs_are_float32_logits_or_features() -> None:
    for options, width in [
        ({}, 10),
        ({'num_classes': 100}, 100),
        ({'num_classes': 0}, 64),
        ({'dtype': jnp.bfloat16}, 10),
    ]:
        net = models.cifar_resnet(8, **options)
        out = jax.eval_shape(net.apply, shapes(net), IMAGES)
        assert (out.shape, out.dtype) == ((2, width), jnp.float32)


def test_bfloat16_keeps_parameters_and_statistics_in_float32() -> None:
    net = models.cifar_resnet(8, dtype=jnp.bfloat16)
    variables = shapes(net)
    apply = partial(net.apply, train=True, mutable=['batch_stats'])
    _, updates = jax.eval_shape(apply, variables, IMAGES)
    assert {x.dtype for x in jax.tree.leaves((variables, updates))} == {jnp.dtype('float32')}


def test_bfloat16_is_float32_but_for_rounding() -> None:
    """Jitted, and large enough for what comes before the mean to be fused into it."""
    net = models.scaled_resnet((1,), width=16, windows=(3,), shortcut_windows=(3,))
    images = jax.random.normal(jax.random.key(1), (8, 32, 32, 3))
    variables = jax.jit(net.init)(jax.random.key(0), images)
    exact, rounded = (jax.jit(n.apply)(variables, images) for n in (net, net.clone(dtype=jnp.bfloat16)))
    assert abs(rounded - exact).max() < 0.05 * abs(exact).max()
    jax.eval_shape(partial(jax.jvp, lambda x: net.clone(dtype=jnp.bfloat16).apply(variables, x)), (images,), (images,))


def initial(**attributes: Any) -> dict:
    """Returns the parameters of a network of one stage, with 32 channels in and 64 out, and three units."""
    net = models.ResNet((3,), (64,), (models.LAYERS['basic'],), models.Stem(32), stacked=True, **attributes)
    return net.init(jax.random.key(0), IMAGES[:1, :4, :4])['params']


def test_initialization() -> None:
    params = initial()
    kernel = params['stage1']['rest']['conv1']['kernel']
    assert kernel.std() == pytest.approx((2 / (9 * 64)) ** 0.5, rel=0.02)
    assert abs(kernel).max() > 4 * kernel.std()  # untruncated
    first = params['stage1']['unit1']['conv1']['kernel']  # 32 channels in, 64 out: fan-out counts
    assert first.std() == pytest.approx((2 / (9 * 64)) ** 0.5, rel=0.02)
    head = params['head']
    assert abs(head['kernel']).max() <= 1 / 8 and head['kernel'].std() == pytest.approx(1 / 8 / 3**0.5, rel=0.1)
    assert not head['bias'].any()

    lab = initial(initialization='fan_in')
    assert lab['stage1']['unit1']['conv1']['kernel'].std() == pytest.approx((2 / (9 * 32)) ** 0.5, rel=0.02)
    assert lab['head']['kernel'].std() == pytest.approx((2 / 64) ** 0.5, rel=0.1)


def test_units_of_a_stack_begin_with_different_weights() -> None:
    rest = initial()['stage1']['rest']
    assert (rest['conv1']['kernel'][0] != rest['conv1']['kernel'][1]).all()


@pytest.mark.parametrize(
    ('make', 'message'),
    [
        (lambda: models.cifar_resnet(600_000_002), 'depth must be at most 10,000 layers, since time and memory grow'),
        (lambda: models.identity4((10**9,) * 4), 'stage_sizes must make at most 10,000 layers, since time and memory grow'),
        (lambda: models.cifar_plain(20, shortcut='A'), "shortcut must be 'none' in a plain network; got 'A', which only cifar_resnet takes"),
        (lambda: models.imagenet_plain(18, shortcut='B'), "shortcut must be 'none' in a plain network; got 'B', which only imagenet_resnet takes"),
        (lambda: models.imagenet_plain(50), 'depth must be 18 or 34; got 50'),
        (lambda: models.imagenet_resnet(34, v1_5=True), 'v1_5 needs bottlenecks, which begin at depth 50; got depth 34'),
    ],
)  # fmt: skip
def test_what_cannot_be_says_why(make: Callable[[], models.ResNet], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_plain_networks_take_the_options_of_residual_ones() -> None:
    options = {
        'unit': 'three_layer',
        'order': 'full_preactivation',
        'stage_sizes': (4, 6, 8),
        'initialization': 'fan_in',
    }
    assert models.cifar_plain(56, **options) == models.cifar_resnet(56, shortcut='none', **options)
    net = models.imagenet_plain(34, order='full_preactivation')
    assert net == models.imagenet_resnet(34, shortcut='none', order='full_preactivation')
