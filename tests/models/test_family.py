"""Wide and grouped networks against what PyTorch computed (tests/references/make_torch_family.py), in float64."""

from pathlib import Path

import flax.linen as nn
import jax
import numpy as np
import pytest
from flax.traverse_util import flatten_dict, unflatten_dict

from jax_resnet import models
from jax_resnet.platform import cpu_convolution
from tests.references.draw import draw, draw_pytorch, real_images, sample

REFERENCES = np.load(Path(__file__).parents[1] / 'references' / 'torch_family.npz')
TWO_STAGES = {'stage_sizes': (2, 1), 'widths': (256, 512), 'num_classes': 10}
RESNEXT = models.imagenet_resnet(50, v1_5=True, groups=32, group_width=4)
WIDE = models.imagenet_resnet(50, v1_5=True, width_factor=2)
CIFAR_STEM = models.imagenet_resnet(18, shortcut='B', cifar_stem=True, num_classes=10)
NETS = {
    'resnext': RESNEXT.clone(**TWO_STAGES, layers=RESNEXT.layers[:2]),
    'wide': WIDE.clone(**TWO_STAGES, layers=WIDE.layers[:2]),
    'cifar_stem': CIFAR_STEM.clone(stage_sizes=(2, 2), widths=(64, 128), layers=CIFAR_STEM.layers[:2]),
    'cifar_wide': models.cifar_wide_resnet(16, width_factor=2),
}


def assert_close(ours: np.ndarray, theirs: np.ndarray, name: str) -> None:
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-9 * max(abs(theirs).max(), 1e-3), err_msg=name)


def check(name: str, net: models.ResNet) -> None:
    """Checks logits in evaluation, gradients, and statistics after a step of training."""
    expected = {key.removeprefix(f'{name}/'): x for key, x in REFERENCES.items() if key.startswith(f'{name}/')}
    images = real_images(32)[::4].astype(float)
    shapes = jax.eval_shape(net.init, jax.random.key(0), images)
    flat = {key: np.zeros(x.shape) for key, x in flatten_dict(shapes, sep='/').items()}
    is_ours = name == 'cifar_wide'
    if is_ours:
        variables = unflatten_dict({key: draw(key, x.shape) for key, x in flat.items()}, sep='/')
    else:
        tensors = models.to_pytorch(unflatten_dict(flat, sep='/'))
        variables = models.from_pytorch({key: draw_pytorch(key, x.shape).astype(float) for key, x in tensors.items()})

    @jax.jit
    def run(variables: dict) -> tuple:
        def loss(params: dict) -> tuple:
            full = {**variables, 'params': params}
            logits, updates = net.apply(full, images, train=True, mutable=['batch_stats'])
            return (logits**2).sum() / 2, (logits, updates)

        gradient, (logits, updates) = jax.grad(loss, has_aux=True)(variables['params'])
        return net.apply(variables, images), logits, {'params': gradient}, updates

    with jax.enable_x64(True):
        evaluated, trained, gradient, updates = run(variables)
    assert_close(trained if is_ours else evaluated, expected.pop('logits'), 'logits')
    names = (lambda tree: flatten_dict(tree, sep='/')) if is_ours else models.to_pytorch
    found = {f'gradient/{key}': sample(np.asarray(x)) for key, x in names(gradient).items()}
    if not is_ours:
        found |= {f'after/{key}': sample(np.asarray(x)) for key, x in names(updates).items()}
    assert found.keys() == expected.keys()
    for key, x in found.items():
        assert_close(x, expected[key], key)


@pytest.mark.parametrize('name', NETS)
def test_logits_gradients_and_statistics(name: str) -> None:
    check(name, NETS[name].clone(conv=cpu_convolution.Conv if name == 'resnext' else nn.Conv))


def test_multiply_adds_are_those_of_torchvision() -> None:
    """Its documentation gives GFLOPs of one 224 x 224 image."""
    for options, billions in [
        ({'width_factor': 2}, 11.40),
        ({'groups': 32, 'group_width': 4}, 4.23),
    ]:
        net = models.imagenet_resnet(50, v1_5=True, stacked=True, **options)
        assert models.count_multiply_adds(net, (224, 224, 3)) / 1e9 == pytest.approx(billions, abs=0.005)


@pytest.mark.parametrize(
    ('make', 'message'),
    [
        (lambda: models.imagenet_resnet(34, groups=32, group_width=4), 'v1_5, width_factor and groups need bottlenecks, which dep'),
        (lambda: models.imagenet_resnet(50, groups=32), 'with group_width, at least 1; got width_factor=1, groups=32, group_width=0'),
        (lambda: models.imagenet_resnet(50, group_width=4), 'bottlenecks take width_factor, or else groups, at least 2'),
        (lambda: models.imagenet_resnet(50, width_factor=2, groups=2, group_width=64), 'got width_factor=2, groups=2, group'),
        (lambda: models.cifar_wide_resnet(27), 'depth must be 6n.4, such as 16, 22, 28, 40; got 27'),
        (lambda: models.cifar_wide_resnet(28, dropout=1.0), 'at least 0 and below 1; got 10 and 1.0'),
    ],
)  # fmt: skip
def test_what_cannot_be_says_what_can(make, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_dropout_between_the_convolutions_acts_in_training_alone() -> None:
    def net(rate: float) -> models.ResNet:
        return models.cifar_wide_resnet(10, width_factor=1, dropout=rate).clone(
            stage_sizes=(1,), widths=(16,), layers=((models.Layer(3), models.Layer(3, dropout=rate)),)
        )

    assert models.cifar_wide_resnet(28, dropout=0.3).layers[0] == (
        models.Layer(3, strided=True),
        models.Layer(3, dropout=0.3),
    )
    images = np.ones((2, 4, 4, 3), np.float32)
    variables = jax.jit(net(0.0).init)(jax.random.key(0), images)
    found, expected = (jax.jit(net(rate).apply)(variables, images) for rate in (0.3, 0.0))
    np.testing.assert_array_equal(found, expected)

    @jax.jit
    def train(key: jax.Array) -> jax.Array:
        return net(0.3).apply(variables, images, train=True, mutable=['batch_stats'], rngs={'dropout': key})[0]

    assert (train(jax.random.key(0)) != train(jax.random.key(1))).any()
