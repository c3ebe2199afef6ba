"""Every unit, order and shortcut against what PyTorch computed (tests/references), in float64.

`tests/slow/test_units.py` compares the stacked layout of all of them with the unstacked one.
"""

from functools import partial
from pathlib import Path

import jax
import numpy as np
import pytest
from flax.traverse_util import flatten_dict, unflatten_dict

from jax_resnet import models
from jax_resnet.models import LAYERS, Layer, Pooling, ResNet, Stem
from jax_resnet.platform.cpu import ONE_CALL_OPTIONS
from tests.references.draw import draw

REFERENCES = np.load(Path(__file__).parents[1] / 'references' / 'torch_units.npz')
CASES = sorted({name.rpartition('/')[0] for name in REFERENCES.files})


def network(case: str, stage_sizes: tuple[int, ...] = (2, 2, 2), **attributes) -> models.ResNet:
    family, unit, order, shortcut = case.split(':')
    stem = Stem(8, window=7, stride=2, pool=True) if family == 'imagenet' else Stem(8)
    n = len(stage_sizes)
    layers = (LAYERS[unit],) * n
    if family == 'scaled':  # the windows of make_torch_units.py
        layers = tuple((Layer(window, strided=True), Layer(window)) for window in (3, 5, 1)[:n])
        attributes |= {'shortcut_windows': (1, 3, 5)[:n], 'pooling': Pooling(pooled_size=2)}
    return ResNet(
        stage_sizes=stage_sizes,
        widths=(8, 16, 32)[:n],
        layers=layers,
        order=order,
        shortcut=shortcut,
        stem=stem,
        **attributes,
    )


def drawn(case: str, net: models.ResNet) -> tuple[np.ndarray, dict]:
    """Images and unstacked variables, as in make_torch_units.py."""
    size = {'cifar': 12, 'scaled': 16, 'imagenet': 32}[case.partition(':')[0]]
    images = draw('images', (2, size, size, 3))
    shapes = flatten_dict(jax.eval_shape(net.init, jax.random.key(0), images), sep='/')
    return images, unflatten_dict({name: draw(name, x.shape) for name, x in shapes.items()}, sep='/')


def assert_close(ours: jax.Array, theirs: np.ndarray) -> None:
    """Within 1e-5 of the largest value."""
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5 * abs(theirs).max())


@pytest.mark.parametrize('case', CASES)
def test_activations(case: str) -> None:
    with jax.enable_x64(True):
        net = network(case)
        images, variables = drawn(case, net)
        # Without jit, JAX compiles one operation after another, and the cases share them.
        logits, captured = net.apply(variables, images, capture_intermediates=lambda m, _: isinstance(m, models.Stage))
        for stage in ('stage1', 'stage2', 'stage3'):
            assert_close(captured['intermediates'][stage]['__call__'][0], REFERENCES[f'{case}/{stage}'])
        assert_close(logits, REFERENCES[f'{case}/logits'])
        if 'dropout' not in case:
            train_logits, _ = net.apply(variables, images, train=True, mutable=['batch_stats'])
            assert_close(train_logits, REFERENCES[f'{case}/train_logits'])


def check_layouts(case: str) -> None:
    """The two layouts have equal gradients and statistics."""
    with jax.enable_x64(True):
        images, variables = drawn(case, network(case, (1, 3)))

        def of(net: models.ResNet, variables: dict) -> tuple:
            @partial(jax.jit, compiler_options=ONE_CALL_OPTIONS)
            def run(variables: dict) -> tuple:
                def loss(params: dict) -> tuple:
                    full = {**variables, 'params': params}
                    logits, updates = net.apply(full, images, train=True, mutable=['batch_stats'])
                    return (logits**2).sum(), (logits, updates['batch_stats'])

                return jax.grad(loss, has_aux=True)(variables['params'])

            gradient, (logits, batch_stats) = run(variables)
            return logits, {'params': gradient, 'batch_stats': batch_stats}

        # The stacked one rematerializes too, which changes nothing either.
        logits, unstacked = of(network(case, (1, 3)), variables)
        net = network(case, (1, 3), stacked=True, rematerialize=True)
        same_logits, stacked = of(net, models.stack(variables))
        assert_close(same_logits, logits)
        largest = max(abs(x).max() for x in jax.tree.leaves(unstacked))
        jax.tree.map(partial(np.testing.assert_allclose, atol=1e-9 * largest), models.unstack(stacked), unstacked)


@pytest.mark.parametrize('case', ['cifar:basic:original:A', 'imagenet:bottleneck:original:B'])
def test_layouts_have_equal_gradients_and_statistics(case: str) -> None:
    check_layouts(case)


def test_dropout_shortcuts_drop_half_each_unit_its_own() -> None:
    net = network('cifar:basic:original:dropout', (3,), stacked=True)
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
    net = network('cifar:basic:original:exclusive_gating_-6', (1,))
    params = jax.jit(net.init)(jax.random.key(0), np.zeros((1, 8, 8, 3), np.float32))['params']
    assert (params['stage1']['unit1']['shortcut']['gate']['bias'] == -6).all()


@pytest.mark.parametrize('order', ['original', 'relu_only_preactivation'])
def test_where_zero_last_scale_can_be_every_layer_trains(order: str) -> None:
    images = np.random.default_rng(0).normal(size=(4, 16, 16, 3)).astype(np.float32)
    net = models.cifar_resnet(8, order=order, shortcut='B', zero_last_scale=True)
    variables = jax.jit(net.init, compiler_options=ONE_CALL_OPTIONS)(jax.random.key(0), images)
    unit = variables['params']['stage2']['unit1']
    assert not unit['norm2']['scale'].any() and (unit['norm1']['scale'] == 1).all()

    @partial(jax.jit, compiler_options=ONE_CALL_OPTIONS)
    @jax.grad
    def gradient(params: dict) -> jax.Array:
        full = {**variables, 'params': params}
        return (net.apply(full, images, train=True, mutable=['batch_stats'])[0][:, 0] ** 2).sum()

    params = jax.tree.map(lambda x, g: x - 0.01 * g, variables['params'], gradient(variables['params']))
    for name, x in flatten_dict(gradient(params), sep='/').items():
        if name.startswith('stage'):
            assert (x.reshape(-1, x.shape[-1]) != 0).any(0).all(), name


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'order': 'bn_after_addition'}, "order='bn_after_addition', where the last BatchNorm comes after the addition, so that"),
        ({'order': 'relu_before_addition'}, "order='relu_before_addition', where the last BatchNorm is followed by a ReLU, so"),
        ({'order': 'full_preactivation'}, 'a gradient of exactly 0 and never train'),
        ({'shortcut': 'none'}, "zero_last_scale needs shortcut='B' or 'C': with 'none', some channels"),
        ({'shortcut': 'A'}, "as the branch is at first, so that the branch would get a gradient of exactly 0 and never"),
    ],
)  # fmt: skip
def test_where_zero_last_scale_cannot_be(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message) as raised:
        models.cifar_resnet(8, **{'shortcut': 'B', **options}, zero_last_scale=True)
    assert len(str(raised.value).splitlines()) == 1
