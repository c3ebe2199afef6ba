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
    variables = net.init(jax.random.key(0), IMAGES)
    _, updates = net.apply(variables, IMAGES, train=True, mutable=['batch_stats'])
    assert {x.dtype for x in jax.tree.leaves((variables, updates))} == {jnp.dtype('float32')}


def test_bfloat16_is_float32_but_for_rounding() -> None:
    """Jitted, and large enough for what comes before the mean to be fused into it."""
    net = models.cifar_resnet(8)
    images = jax.random.normal(jax.random.key(1), (8, 32, 32, 3))
    variables = jax.jit(net.init)(jax.random.key(0), images)
    exact, rounded = (jax.jit(n.apply)(variables, images) for n in (net, net.clone(dtype=jnp.bfloat16)))
    assert abs(rounded - exact).max() < 0.05 * abs(exact).max()
    jax.jvp(lambda x: net.clone(dtype=jnp.bfloat16).apply(variables, x), (images,), (images,))


def test_initialization() -> None:
    params = models.cifar_resnet(20, stacked=True).init(jax.random.key(0), IMAGES)['params']
    kernel = params['stage3']['rest']['conv1']['kernel']
    assert kernel.std() == pytest.approx((2 / (9 * 64)) ** 0.5, rel=0.02)
    assert abs(kernel).max() > 4 * kernel.std()  # untruncated
    first = params['stage3']['unit1']['conv1']['kernel']  # 32 channels in, 64 out: fan-out counts
    assert first.std() == pytest.approx((2 / (9 * 64)) ** 0.5, rel=0.02)
    head = params['head']
    assert abs(head['kernel']).max() <= 1 / 8 and head['kernel'].std() == pytest.approx(1 / 8 / 3**0.5, rel=0.1)
    assert not head['bias'].any()

    lab = models.cifar_resnet(20, stacked=True, initialization='fan_in').init(jax.random.key(0), IMAGES)['params']
    assert lab['stage3']['unit1']['conv1']['kernel'].std() == pytest.approx((2 / (9 * 32)) ** 0.5, rel=0.02)
    assert lab['head']['kernel'].std() == pytest.approx((2 / 64) ** 0.5, rel=0.1)


def test_units_of_a_stack_begin_with_different_weights() -> None:
    rest = models.cifar_resnet(20, stacked=True).init(jax.random.key(0), IMAGES)['params']['stage1']['rest']
    assert (rest['conv1']['kernel'][0] != rest['conv1']['kernel'][1]).all()


def test_from_config() -> None:
    net = models.from_config({'name': 'cifar_resnet', 'depth': 20, 'shortcut': 'B', 'num_classes': 100})
    assert models.count_parameters(shapes(net)['params']) == 272_474 + 90 * 65
    plain = models.from_config({'name': 'cifar_plain', 'depth': 20})
    assert models.count_parameters(shapes(plain)['params']) == 269_722


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
            {'name': 'cifar_plain', 'depth': 20, 'shortcut': 'A'},
            'shortcut: unknown; cifar_plain takes depth, num_classes',
        ),
        (
            {'name': 'cifar_resnet', 'depth': 20, 'shortcut': 'D'},
            "shortcut must be one of A, A_centred, B, C, none, dropout, scaling_.*; got 'D'",
        ),
        ({'name': 'cifar_resnet', 'depth': 20, 'initialization': 'x'}, 'initialization must be one of fan_out, fan_in'),
    ],
)
def test_from_config_says_what_is_wrong(config: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        models.from_config(config)
