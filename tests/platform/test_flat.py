"""A network's arrays joined to flat arrays, and back."""

import jax
import numpy as np
import pytest

from jax_resnet import models
from jax_resnet.config.fields import Config
from jax_resnet.platform import flat
from jax_resnet.platform.flat import MOST_CONCATENATED
from jax_resnet.training import state as states
from tests.conftest import assert_equal_trees

NET = models.cifar_resnet(8, shortcut='C', stacked=True)
DEEP = models.cifar_resnet(6 * MOST_CONCATENATED // 5 * 3 + 2, stacked=True)


@pytest.mark.parametrize('stacked', [False, True])
@pytest.mark.parametrize('net', [NET, DEEP], ids=['shallow', 'deep'])
def test_a_training_state_there_and_back_is_exact(net: models.ResNet, stacked: bool) -> None:
    rng = np.random.default_rng(0)
    shapes = states.shapes(Config(), net, (8, 8, 3))
    state = jax.tree.map(lambda x: rng.normal(size=x.shape).astype(x.dtype), shapes)
    state = state if stacked else models.unstack(state)
    packed = jax.jit(flat.pack)(state)
    expected = {'conv/kernel', 'norm/scale', 'norm/bias', 'head/kernel', 'head/bias'}
    assert {*packed.params.arrays} == expected and {*packed.batch_stats.arrays} == {'norm/mean', 'norm/var'}
    assert all(x.ndim == 1 for x in packed.params.arrays.values())
    assert_equal_trees(jax.jit(flat.unpack)(packed), state)


def test_convolutions_kernels_have_features_first() -> None:
    kernel = np.arange(3 * 3 * 2 * 4.0).reshape(3, 3, 2, 4)
    packed = flat.pack({'conv': {'kernel': kernel}, 'head': {'kernel': np.ones((2, 5))}})
    assert_equal_trees(packed.arrays, {'conv/kernel': kernel.transpose(3, 0, 1, 2).ravel(), 'head/kernel': np.ones(10)})
    assert_equal_trees(flat.unpack(packed)['conv']['kernel'], kernel)
