import re
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax_resnet import models
from jax_resnet.models.pytorch import check_style
from tests.conftest import assert_equal_trees
from tests.references.draw import draw_pytorch, real_images

REFERENCES = Path(__file__).parents[1] / 'references' / 'torch_converted.npz'


@pytest.mark.parametrize(
    ('net', 'style', 'names'),
    [
        (models.cifar_resnet(20, shortcut='B'), 'cifar', {'conv1.weight', 'layer2.0.shortcut.0.weight', 'linear.bias'}),
        (
            models.imagenet_resnet(50, v1_5=True),
            'torchvision',
            {'layer1.0.downsample.1.running_var', 'layer4.2.conv3.weight', 'fc.weight'},
        ),
    ],
)
def test_there_and_back_every_array_equal(net: models.ResNet, style: str, names: set[str]) -> None:
    shapes = jax.eval_shape(net.init, jax.random.key(0), jnp.zeros((1, 32, 32, 3)))
    rng = np.random.default_rng(0)
    variables = jax.tree.map(lambda x: rng.uniform(size=x.shape).astype(np.float32), shapes)
    tensors = models.to_pytorch(variables, style)
    assert names <= tensors.keys()
    assert tensors['conv1.weight'].shape[1] == 3 and tensors['conv1.weight'].shape[0] in (16, 64)
    assert_equal_trees(models.from_pytorch(tensors), variables)
    prefixed = {f'module.{name}': tensor for name, tensor in tensors.items()} | {
        'module.bn1.num_batches_tracked': np.int64(3)
    }
    assert_equal_trees(models.from_pytorch(prefixed), variables)


def test_a_converted_network_has_pytorchs_logits() -> None:
    """Within 1e-4 on 16 real images, in float32 (make_pretrained.py); tests/slow/test_timm.py has torchvision's."""
    net, expected, images = (
        models.cifar_resnet(56, shortcut='A_centred'),
        np.load(REFERENCES)['resnet56'],
        real_images(32),
    )
    zeros = jax.tree.map(lambda x: np.zeros(x.shape), jax.eval_shape(net.init, jax.random.key(0), images))
    tensors = {key: draw_pytorch(key, x.shape) for key, x in models.to_pytorch(zeros, 'cifar').items()}
    variables = models.stack(models.from_pytorch(tensors))
    logits = jax.jit(net.clone(stacked=True).apply)(variables, images)
    assert expected.std(0).mean() > 0.02
    np.testing.assert_allclose(logits, expected, rtol=0, atol=1e-4)


WRAPPED = {'conv1.weight': np.ones((16, 3, 3, 3), np.float32), 'fc.bias': np.ones(10, np.float32)}


@pytest.mark.parametrize('wrapper', ['', 'module.', '_orig_mod.', '_orig_mod.module.', 'model.net.'])
def test_the_names_of_wrappers_are_dropped(wrapper: str) -> None:
    tensors = {wrapper + name: memoryview(tensor) for name, tensor in WRAPPED.items()} | {'n_averaged': np.array(3)}
    assert [*models.from_pytorch(tensors)['params']] == ['stem', 'head']


@pytest.mark.parametrize(
    ('others', 'message'),
    [
        ({'module.conv1.weight': 0}, "module.conv1.weight: is not .*; 'module.' is not the beginning of all names"),
        ({'linear.bias': 0}, 'fc.bias and linear.bias: only one of them can be params/head/bias'),
        ({'bn1.weight': np.nan}, 'bn1.weight has NaN or infinite numbers; weights must be finite'),
    ],
)
def test_tensors_that_cannot_be_used_are_named(others: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        models.from_pytorch(WRAPPED | {name: np.full(10, value, np.float32) for name, value in others.items()})


def test_what_has_no_counterpart_is_named() -> None:
    for name in (
        'layer1.0.se.weight',
        'conv1.scale',
        'layer0.0.conv1.weight',
        'layer1.0.conv0.weight',
        'layer1.0.conv1.bias',
    ):
        with pytest.raises(ValueError, match=f'{name}: is not a tensor of the known ResNets, cifar and torchvision'):
            models.from_pytorch({name: np.zeros(3)})
    with pytest.raises(ValueError, match='params/end/norm/scale: has no counterpart'):
        models.to_pytorch({'params': {'end': {'norm': {'scale': np.zeros(3)}}}})


@pytest.mark.parametrize(
    ('net', 'style'),
    [
        (models.cifar_resnet(20, shortcut='A_centred'), 'cifar'),
        (models.cifar_resnet(56, shortcut='B', stage_sizes=(5, 9, 13)), 'cifar'),
        (models.imagenet_resnet(18, shortcut='B'), 'torchvision'),
        (models.imagenet_resnet(50, v1_5=True), 'torchvision'),
        (models.imagenet_resnet(50, v1_5=True, groups=32, group_width=4), 'torchvision'),
        (models.imagenet_resnet(18, shortcut='B', cifar_stem=True, num_classes=10), 'cifar'),
    ],
)
def test_what_a_pytorch_network_can_be(net: models.ResNet, style: str) -> None:
    check_style(net, style)


@pytest.mark.parametrize(
    ('net', 'style', 'message'),
    [
        (models.cifar_resnet(20), 'cifar', 'its shortcut is A; must be A_centred or B'),
        (models.cifar_resnet(20, order='bn_after_addition', shortcut='B'), 'cifar', 'its order is bn_after_addition'),
        (models.cifar_resnet(29, unit='three_layer'), 'cifar', "its units' type is three_layer; must be basic or bottleneck"),
        (models.imagenet_resnet(18), 'cifar', 'its stem is Stem(channels=0, window=7, stride=2, pool=True); must be Stem('),
        (models.imagenet_resnet(50), 'torchvision', 'is bottleneck; must be basic or bottleneck_v1.5 (config.model.v1_5=True)'),
        (models.cifar_resnet(8, shortcut='B', norm=models.BatchNorms(epsilon=0.1)), 'cifar', 'batch_norm.epsilon is 0.1'),
        (models.scaled_resnet(), 'cifar', "its projections' window is 3; must be 1"),
        (models.scaled_resnet(dropout=0.5), 'cifar', 'its pooling is Pooling(pooled_size=1, drop_block=0.0, dropout=0.5)'),
    ],
)  # fmt: skip
def test_what_it_cannot_be_is_told_with_what_fits(net: models.ResNet, style: str, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        check_style(net, style)
