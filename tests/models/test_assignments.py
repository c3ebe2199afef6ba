"""The assignments' networks: Scaled's design space and Identity4."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax_resnet import models


def test_what_is_beyond_the_limit_names_the_count() -> None:
    with pytest.raises(ValueError, match='parameter_limit=5,000,000: this network has 11,775,114 parameters'):
        models.scaled_resnet(windows=(5, 5))
    assert models.scaled_resnet(windows=(5, 5), parameter_limit=0).stage_sizes == (3, 3)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'stage_sizes': (1,) * 6}, 'stage_sizes must be 1 to 5 counts'),
        ({'stage_sizes': (3, 0)}, 'stage_sizes must be 1 to 5 counts, each at least 1'),
        ({'windows': (3, 4)}, r'windows must be 2 odd sizes, one for each stage; got \(3, 4\)'),
        ({'shortcut_windows': (3,)}, r'shortcut_windows must be 2 odd sizes, one for each stage; got \(3,\)'),
        ({'width': 0}, 'width must be at least 1; got 0'),
        ({'dropout': 1.0}, 'dropout must be at least 0 and below 1; got 1.0'),
    ],
)
def test_what_cannot_be_says_what_can(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        models.scaled_resnet(**options)
    with pytest.raises(ValueError, match='stage_sizes must be 4 counts'):
        models.identity4((2, 2, 2))


def test_the_pooled_map_feeds_the_head() -> None:
    images = jnp.zeros((2, 32, 32, 3))
    net = models.scaled_resnet((1, 1), width=8, pooled_size=4)
    variables = jax.eval_shape(net.init, jax.random.key(0), images)
    assert variables['params']['head']['kernel'].shape == (4 * 4 * 16, 10)
    net = models.scaled_resnet((1, 1), width=8, pooled_size=3)
    with pytest.raises(ValueError, match='pooled_size must divide the size of the last map, 16 x 16; got 3'):
        jax.eval_shape(net.init, jax.random.key(0), images)


def test_dropout_and_drop_block_act_in_training_alone() -> None:
    images = np.random.default_rng(0).normal(size=(2, 8, 8, 3)).astype(np.float32)
    plain = models.scaled_resnet((1,), width=4, windows=(3,), shortcut_windows=(1,), num_classes=0)
    variables = jax.jit(plain.init)(jax.random.key(0), images)
    features = plain.apply(variables, images, train=True, mutable=['batch_stats'])[0]
    for options in ({'drop_block': 0.3}, {'dropout': 0.5}):
        net = models.scaled_resnet((1,), width=4, windows=(3,), shortcut_windows=(1,), num_classes=0, **options)
        np.testing.assert_array_equal(net.apply(variables, images), plain.apply(variables, images))
        rngs = {'dropout': jax.random.key(1)}
        assert (net.apply(variables, images, train=True, mutable=['batch_stats'], rngs=rngs)[0] != features).any()


def test_drop_block_drops_squares_at_its_rate_and_keeps_the_mean() -> None:
    x = jnp.ones((32, 16, 16, 8))
    y = np.asarray(models.DropBlock(0.2, block_size=3).apply({}, x, rngs={'dropout': jax.random.key(0)}))
    assert (y == 0).mean() == pytest.approx(0.2, abs=0.03)
    np.testing.assert_allclose(y.mean((1, 2, 3)), 1, rtol=1e-5)
    alone = [  # a zero whose neighbours on a row are not
        (y[:, :, 1:-1] == 0) & (y[:, :, :-2] != 0) & (y[:, :, 2:] != 0),
        (y[:, 1:-1] == 0) & (y[:, :-2] != 0) & (y[:, 2:] != 0),
    ]
    assert not any(a.any() for a in alone)
    assert (models.DropBlock(0.2, deterministic=True).apply({}, x) == x).all()


def test_identity4_projects_the_pre_activated_input_of_stages_2_to_4() -> None:
    params = jax.eval_shape(models.identity4().init, jax.random.key(0), jnp.zeros((1, 28, 28, 3)))['params']
    assert [set(params[f'stage{i}']['unit1']) for i in (1, 2)] == [
        {'norm1', 'conv1', 'norm2', 'conv2'},
        {'norm1', 'conv1', 'norm2', 'conv2', 'shortcut'},
    ]
    assert params['stage4']['unit1']['shortcut']['conv']['kernel'].shape == (1, 1, 256, 512)
    assert set(params['stage2']['unit1']['shortcut']) == {'conv'}


def test_units_can_be_moved_between_stages() -> None:
    net = models.cifar_resnet(20, stage_sizes=(1, 3, 5))
    params = jax.eval_shape(net.init, jax.random.key(0), jnp.zeros((1, 32, 32, 3)))['params']
    assert [len(params[f'stage{i}']) for i in (1, 2, 3)] == [1, 3, 5]
    for sizes in ((1, 3, 6), (4, 5), (9, 0, 0)):
        with pytest.raises(ValueError, match=r'stage_sizes must be 3 counts, 9 in all at depth 20; got \('):
            models.cifar_resnet(20, stage_sizes=sizes)
