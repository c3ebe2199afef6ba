"""Every kind of unit, order and shortcut against what PyTorch computed (tests/references), in float64, both forms."""

from functools import partial
from pathlib import Path

import jax
import numpy as np
import pytest
from flax.traverse_util import flatten_dict, unflatten_dict

from jax_resnet import models
from jax_resnet.models import named
from jax_resnet.models.resnet import Stem
from jax_resnet.training.xla_cpu import ONE_CALL_OPTIONS
from tests.references.draw import draw

REFERENCES = np.load(Path(__file__).parents[1] / 'references' / 'torch_units.npz')
CASES = sorted({name.rpartition('/')[0] for name in REFERENCES.files})


def network(case: str, **parts) -> models.ResNet:
    family, unit, order, shortcut = case.split(':')
    stem = (
        {'window': 7, 'stride': 2, 'pool': True} if family == 'imagenet' else {'window': 3, 'stride': 1, 'pool': False}
    )
    return named._resnet(
        stage_sizes=(2, 2, 2),
        widths=(8, 16, 32),
        unit=unit,
        order=order,
        shortcut=shortcut,
        stem=partial(Stem, channels=8, **stem),
        initialization='fan_out',
        **parts,
    )


def assert_close(ours: jax.Array, theirs: np.ndarray) -> None:
    """Within 1e-5 of the largest value."""
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5 * abs(theirs).max())


@pytest.mark.parametrize('stacked', [False, True])
@pytest.mark.parametrize('case', CASES)
def test_activations(case: str, stacked: bool) -> None:
    with jax.enable_x64(True):
        size = 32 if case.startswith('imagenet') else 12
        images = draw('images', (2, size, size, 3))
        net = network(case)
        shapes = flatten_dict(jax.eval_shape(net.init, jax.random.key(0), images), sep='/')
        variables = unflatten_dict({name: draw(name, x.shape) for name, x in shapes.items()}, sep='/')
        if stacked:
            net, variables = network(case, stacked=True), models.stack(variables)

        @partial(jax.jit, compiler_options=ONE_CALL_OPTIONS)
        def outputs(variables: dict) -> tuple:
            capture = net.apply(variables, images, capture_intermediates=lambda m, _: isinstance(m, models.Stage))
            key = {'dropout': jax.random.key(0)} if 'dropout' in case else {}
            train = net.apply(variables, images, train=True, mutable=['batch_stats'], rngs=key)[0]
            return *capture, train

        logits, captured, train_logits = outputs(variables)
        for stage in ('stage1', 'stage2', 'stage3'):
            assert_close(captured['intermediates'][stage]['__call__'][0], REFERENCES[f'{case}/{stage}'])
        assert_close(logits, REFERENCES[f'{case}/logits'])
        if 'dropout' not in case:
            assert_close(train_logits, REFERENCES[f'{case}/train_logits'])


def test_dropout_shortcuts_drop_half_each_unit_its_own() -> None:
    net = models.cifar_resnet(20, shortcut='dropout', stacked=True)
    images = np.ones((2, 8, 8, 3), np.float32)
    variables = jax.jit(net.init)(jax.random.key(0), images)
    apply = jax.jit(
        lambda key: net.apply(variables, images, train=True, mutable=['batch_stats'], rngs={'dropout': key})[0]
    )
    first, again, other = (apply(jax.random.key(seed)) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    with pytest.raises(Exception, match='dropout'):
        net.apply(variables, images, train=True, mutable=['batch_stats'])


def test_the_gates_bias_begins_as_it_says() -> None:
    net = models.cifar_resnet(8, shortcut='exclusive_gating_-6')
    params = jax.jit(net.init)(jax.random.key(0), np.zeros((1, 8, 8, 3), np.float32))['params']
    assert (params['stage2']['unit1']['shortcut']['gate']['bias'] == -6).all()


def test_zero_last_scale_begins_as_the_shortcut() -> None:
    net = models.imagenet_resnet(50, zero_last_scale=True, stacked=True)
    params = jax.eval_shape(net.init, jax.random.key(0), np.zeros((1, 32, 32, 3), np.float32))['params']
    small = models.ResNet(
        stage_sizes=(2,), widths=(8,), stem=partial(Stem, channels=8, window=3, stride=1, steps='', pool=False),
        unit=partial(models.Unit, layers=models.LAYERS['basic'], order=models.ORDERS['original'],
                     shortcut=named.shortcut_named('A'), zero_last_scale=True),
    )  # fmt: skip
    scales = jax.jit(small.init)(jax.random.key(0), np.zeros((1, 8, 8, 3), np.float32))['params']['stage1']['unit1']
    assert not scales['norm2']['scale'].any() and (scales['norm1']['scale'] == 1).all()
    assert params['stage1']['unit1']['norm3']['scale'].shape == (256,)


@pytest.mark.parametrize(
    ('make', 'message'),
    [
        (lambda: models.cifar_resnet(32, unit='bottleneck'), r'depth must be 9n\+2, such as 164, 1001; got 32'),
        (lambda: models.cifar_resnet(21, unit='one_layer'), r'depth must be 3n\+2'),
        (lambda: models.cifar_resnet(20, unit='wide'), 'unit must be one of basic, bottleneck, one_layer'),
        (lambda: models.cifar_resnet(20, order='last'), 'order must be one of original, bn_after_addition'),
        (
            lambda: models.cifar_resnet(20, shortcut='scaling_1'),
            'shortcut must be one of A, A_centred, B, C, none, dropout, scaling_<',
        ),
        (lambda: models.cifar_resnet(20, shortcut='exclusive_gating'), "got 'exclusive_gating'"),
        (lambda: models.imagenet_resnet(20), 'depth must be one of 18, 34, 50, 101, 152, 200; got 20'),
        (lambda: models.imagenet_plain(50), 'depth must be 18 or 34; got 50'),
    ],
)
def test_what_cannot_be_says_what_can(make, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize('size', [32, 65, 224])
def test_imagenet_networks_take_any_size(size: int) -> None:
    for net in (
        models.imagenet_resnet(18, stacked=True),
        models.imagenet_resnet(200, order='full_preactivation', stacked=True),
    ):
        images = jax.ShapeDtypeStruct((2, size, size, 3), np.float32)
        variables = jax.eval_shape(net.init, jax.random.key(0), images)
        assert jax.eval_shape(net.apply, variables, images).shape == (2, 1000)


@pytest.mark.parametrize(('depth', 'expected'), [(18, 1.8), (34, 3.6), (50, 3.8), (101, 7.6), (152, 11.3)])
def test_multiply_adds_of_the_2015_papers_table_1(depth: int, expected: float) -> None:
    count = models.count_multiply_adds(models.imagenet_resnet(depth, stacked=True), (224, 224, 3))
    assert count / 1e9 == pytest.approx(expected, abs=0.06)
