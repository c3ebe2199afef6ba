"""The named networks, their variables and what they refuse."""

import pickle
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax_resnet import models
from jax_resnet.models.networks import NETWORKS

IMAGES = jnp.zeros((2, 32, 32, 3))
CONFIGS = [
    {'name': 'cifar_resnet', 'depth': 8, 'order': 'full_preactivation', 'shortcut': 'exclusive_gating_-6'},
    {'name': 'cifar_plain', 'depth': 8},
    {'name': 'cifar_wide_resnet', 'depth': 10, 'width_factor': 2, 'dropout': 0.3},
    {'name': 'imagenet_resnet', 'depth': 50, 'v1_5': True, 'zero_last_scale': True},
    {'name': 'imagenet_plain', 'depth': 18},
    {'name': 'scaled_resnet', 'stage_sizes': (1, 1), 'dropout': 0.5},
    {'name': 'identity4', 'stage_sizes': (1, 1, 1, 1)},
]
ATTRIBUTES = {'norm': models.BatchNorms(group_size=2), 'dtype': jnp.bfloat16, 'stacked': True}


def shapes(net: models.ResNet, images: jax.Array = IMAGES) -> dict:
    return jax.eval_shape(net.init, jax.random.key(0), images)


def test_every_network_is_above() -> None:
    assert [*(config['name'] for config in CONFIGS), 'own'] == list(NETWORKS)  # tests/test_own_parts.py has 'own'


@pytest.mark.parametrize('config', CONFIGS)
def test_equal_networks_are_equal_keys_and_are_traced_once(config: dict) -> None:
    traced = []

    @partial(jax.jit, static_argnums=0)
    def logits(net: models.ResNet, key: jax.Array, images: jax.Array) -> jax.Array:
        traced.append(net)
        return net.init_with_output(key, images)[0]

    net, again = (models.from_config(config, **ATTRIBUTES) for _ in range(2))
    for equal in (net, again, pickle.loads(pickle.dumps(net))):
        assert equal == net and hash(equal) == hash(net)
        assert logits.eval_shape(equal, jax.random.key(0), IMAGES).shape[0] == 2
    assert traced == [net]
    assert net not in [models.from_config({**config, 'num_classes': 7}, **ATTRIBUTES), net.clone(unroll=5)]


def test_an_arguments_default_is_its_value() -> None:
    assert models.cifar_resnet(8) == models.cifar_resnet(8, shortcut='A', stage_sizes=(1, 1, 1))


def test_names_can_be_guessed() -> None:
    params = shapes(models.cifar_resnet(20, shortcut='B'))['params']
    assert set(params) == {'stem', 'stage1', 'stage2', 'stage3', 'head'}
    assert set(params['stage2']) == {'unit1', 'unit2', 'unit3'}
    assert set(params['stage2']['unit1']) == {'conv1', 'norm1', 'conv2', 'norm2', 'shortcut'}
    assert params['stage2']['unit2']['conv1']['kernel'].shape == (3, 3, 32, 32)
    assert params['stage2']['unit1']['shortcut']['conv']['kernel'].shape == (1, 1, 16, 32)
    assert params['head']['kernel'].shape == (64, 10)
    moved = shapes(models.cifar_resnet(20, stage_sizes=(1, 3, 5)))['params']
    assert [len(moved[f'stage{i}']) for i in (1, 2, 3)] == [1, 3, 5]


@pytest.mark.parametrize(
    ('options', 'width'),
    [({}, 10), ({'num_classes': 100}, 100), ({'num_classes': 0}, 64), ({'dtype': jnp.bfloat16}, 10)],
)
def test_outputs_parameters_and_statistics_are_float32(options: dict, width: int) -> None:
    net = models.cifar_resnet(8, **options)
    apply = partial(net.apply, train=True, mutable=['batch_stats'])
    out, updates = jax.eval_shape(apply, shapes(net), IMAGES)
    assert out.shape == (2, width)
    assert {x.dtype for x in jax.tree.leaves((out, shapes(net), updates))} == {jnp.dtype('float32')}


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
    return jax.jit(net.init)(jax.random.key(0), IMAGES[:1, :4, :4])['params']


def test_initialization() -> None:
    params = initial()
    kernel = params['stage1']['rest']['conv1']['kernel']
    assert kernel.std() == pytest.approx((2 / (9 * 64)) ** 0.5, rel=0.02)
    assert abs(kernel).max() > 4 * kernel.std()  # untruncated
    assert (kernel[0] != kernel[1]).all()  # each unit of a stack has its own
    first = params['stage1']['unit1']['conv1']['kernel']  # 32 channels in, 64 out: fan-out counts
    assert first.std() == pytest.approx((2 / (9 * 64)) ** 0.5, rel=0.02)
    head = params['head']
    assert abs(head['kernel']).max() <= 1 / 8 and head['kernel'].std() == pytest.approx(1 / 8 / 3**0.5, rel=0.1)
    assert not head['bias'].any()

    lab = initial(initialization='fan_in')
    assert lab['stage1']['unit1']['conv1']['kernel'].std() == pytest.approx((2 / (9 * 32)) ** 0.5, rel=0.02)
    assert lab['head']['kernel'].std() == pytest.approx((2 / 64) ** 0.5, rel=0.1)


def test_plain_networks_take_the_options_of_residual_ones() -> None:
    options = {'unit': 'three_layer', 'order': 'full_preactivation', 'stage_sizes': (4, 6, 8)}
    assert models.cifar_plain(56, **options) == models.cifar_resnet(56, shortcut='none', **options)
    net = models.imagenet_plain(34, order='full_preactivation')
    assert net == models.imagenet_resnet(34, shortcut='none', order='full_preactivation')


def test_imagenet_networks_take_any_size() -> None:
    net = models.imagenet_resnet(18, stacked=True)
    for size in (32, 65, 224):
        images = jax.ShapeDtypeStruct((2, size, size, 3), np.float32)
        assert jax.eval_shape(net.apply, shapes(net, images), images).shape == (2, 1000)


@pytest.mark.parametrize(
    ('make', 'message'),
    [
        (lambda: models.cifar_resnet(21), r'depth must be 6n\+2, such as 20, 32, 44, 56, 110; got 21'),
        (lambda: models.cifar_resnet('20'), r"depth must be .*; got '20'"),
        (lambda: models.cifar_resnet(32, unit='bottleneck'), r'depth must be 9n\+2, such as 164, 1001; got 32'),
        (lambda: models.cifar_resnet(600_000_002), 'at most 10,000 layers in its stages, since time and memory grow .*; got 600,000,000'),
        (lambda: models.cifar_resnet(20, stage_sizes=(9, 0, 0)), 'stage_sizes must be 3 counts, 9 in all at depth 20; got'),
        (lambda: models.cifar_resnet(20, order='last'), 'order must be one of original, bn_after_addition'),
        (lambda: models.cifar_resnet(20, shortcut='D'), 'shortcut must be one of A, A_centred, B, C, none, dropout, scaling_<'),
        (lambda: models.cifar_resnet(20, shortcut='scaling_1'), "shortcut must be one of .*; got 'scaling_1'"),
        (lambda: models.imagenet_resnet(20), 'depth must be one of 18, 26, 34, 50, 101, 152, 200; got 20'),
        (lambda: models.imagenet_plain(50), 'depth must be 18 or 34; got 50'),
        (lambda: models.imagenet_plain(18, shortcut='B'), "must be 'none' in a plain network; got 'B', which only imagenet_resnet"),
        (lambda: models.scaled_resnet((1,) * 6), 'stage_sizes must be 1 to 5 counts'),
        (lambda: models.scaled_resnet(windows=(3, 4)), r'windows must be 2 odd sizes, one for each stage; got \(3, 4\)'),
        (lambda: models.scaled_resnet(windows=(5, 5)), 'parameter_limit=5,000,000: this network has 11,775,114 parameters'),
        (lambda: shapes(models.scaled_resnet(pooled_size=3)), 'pooled_size must divide the size of the last map, 16 x 16; got 3'),
        (lambda: models.from_config({'name': 'vgg', 'depth': 20}), "name must be one of cifar_resnet, .*; got 'vgg'"),
    ],
)  # fmt: skip
def test_what_cannot_be_says_what_can(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
