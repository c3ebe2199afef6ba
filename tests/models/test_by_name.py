import pickle
from functools import partial

import jax
import jax.numpy as jnp
import pytest

from jax_resnet import models
from jax_resnet.models.by_name import NETWORKS

CONFIGS = [
    {'name': 'cifar_resnet', 'depth': 8, 'order': 'full_preactivation', 'shortcut': 'exclusive_gating_-6'},
    {'name': 'cifar_plain', 'depth': 8},
    {'name': 'imagenet_resnet', 'depth': 50, 'v1_5': True, 'zero_last_scale': True},
    {'name': 'imagenet_plain', 'depth': 18},
    {'name': 'scaled_resnet', 'stage_sizes': (1, 1), 'dropout': 0.5},
    {'name': 'identity4', 'stage_sizes': (1, 1, 1, 1)},
]
ATTRIBUTES = {'norm': models.BatchNorms(group_size=2), 'dtype': jnp.bfloat16, 'stacked': True}


def count(net: models.ResNet) -> int:
    return models.count_parameters(jax.eval_shape(net.init, jax.random.key(0), jnp.zeros((1, 32, 32, 3)))['params'])


def test_every_network_is_below() -> None:
    assert [config['name'] for config in CONFIGS] == list(NETWORKS)


@pytest.mark.parametrize('config', CONFIGS)
@pytest.mark.parametrize('attributes', [{}, ATTRIBUTES])
def test_networks_can_be_compared_hashed_and_pickled(config: dict, attributes: dict) -> None:
    net, again = (models.from_config(config, **attributes) for _ in range(2))
    assert net is not again and net == again and hash(net) == hash(again) and len({net, again}) == 1
    assert pickle.loads(pickle.dumps(net)) == net
    others = [models.from_config({**config, 'num_classes': 7}, **attributes), net.clone(unroll=5)]
    assert net not in others


@pytest.mark.parametrize('config', CONFIGS)
def test_equal_networks_are_traced_once(config: dict) -> None:
    traced = []

    @partial(jax.jit, static_argnums=0)
    def logits(net: models.ResNet, key: jax.Array, images: jax.Array) -> jax.Array:
        traced.append(net)
        return net.init_with_output(key, images)[0]

    nets = [models.from_config(config, **ATTRIBUTES) for _ in range(2)]
    for net in (*nets, pickle.loads(pickle.dumps(nets[0]))):
        assert logits.eval_shape(net, jax.random.key(0), jnp.zeros((2, 32, 32, 3))).shape[0] == 2
    assert traced == nets[:1]
    logits.eval_shape(nets[0].clone(num_classes=7), jax.random.key(0), jnp.zeros((2, 32, 32, 3)))
    assert len(traced) == 2


def test_an_arguments_default_is_its_value() -> None:
    assert models.cifar_resnet(8) == models.cifar_resnet(8, shortcut='A', stage_sizes=(1, 1, 1))
    assert models.cifar_resnet(8) != models.cifar_resnet(8, norm=partial(models.BatchNorm, group_size=2))


def test_from_config() -> None:
    net = models.from_config({'name': 'cifar_resnet', 'depth': 20, 'shortcut': 'B', 'num_classes': 100})
    assert count(net) == 272_474 + 90 * 65
    plain = models.from_config({'name': 'cifar_plain', 'depth': 20})
    assert count(plain) == 269_722


@pytest.mark.parametrize(
    ('config', 'message'),
    [
        (
            {'name': 'resnext', 'depth': 20},
            "name must be one of cifar_resnet, cifar_plain, imagenet_resnet, imagenet_plain, scaled_resnet, identity4; got 'resnext'",
        ),
        ({'depth': 20}, 'name must be one of cifar_resnet, .*; got None'),
        ({'name': 'cifar_resnet', 'depth': 21}, r'depth must be 6n\+2'),
        ({'name': 'cifar_resnet', 'depth': '20'}, "depth must be of type int; got '20'"),
        ({'name': 'cifar_resnet'}, 'depth: missing'),
        (
            {'name': 'cifar_plain', 'depth': 20, 'v1_5': True},
            'v1_5: unknown; cifar_plain takes depth, unit, order, shortcut, stage_sizes, num_classes, init',
        ),
        (
            {'name': 'cifar_resnet', 'depth': 20, 'shortcut': 'D'},
            "shortcut must be one of A, A_centred, B, C, none, dropout, scaling_.*; got 'D'",
        ),
        (
            {'name': 'cifar_resnet', 'depth': 20, 'initialization': 'x'},
            'initialization must be one of fan_out, fan_out_small_head, fan_in, lecun',
        ),
    ],
)
def test_from_config_says_what_is_wrong(config: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        models.from_config(config)
