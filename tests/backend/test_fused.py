"""The fused kernels, interpreted on a CPU: they compute what the plain network computes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax_resnet import models
from jax_resnet.backend import gpu
from jax_resnet.backend.fused import tiles
from jax_resnet.backend.fused.network import Fused
from jax_resnet.errors import ConfigError
from jax_resnet.training.experiment import Experiment
from tests.backend.test_networks import check
from tests.conftest import small_config

NORM = models.BatchNorms(group_size=2)


@pytest.mark.soak
def test_outputs_statistics_and_gradients() -> None:
    net = models.cifar_resnet(8, norm=NORM)
    check(net, gpu.fused_form(net.clone(stacked=True)))


@pytest.mark.soak
def test_programs_of_several_tiles_without_shortcuts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiles, 'PARTS', 2)
    monkeypatch.setattr(tiles, 'TILE', 16)
    net = models.cifar_resnet(8, shortcut='none', norm=models.BatchNorms())
    check(net, gpu.fused_form(net))


@pytest.mark.soak
def test_precision() -> None:
    """The gradient's difference from float64 is at most twice that of the plain network."""
    images = np.random.default_rng(0).normal(size=(8, 8, 8, 3))
    net = models.cifar_resnet(8, norm=NORM)
    variables = jax.jit(net.init)(jax.random.key(0), images)

    def gradient(net: models.ResNet | Fused, dtype: str) -> jax.Array:
        def loss(params: dict, batch_stats: dict, images: jax.Array) -> jax.Array:
            full = {'params': params, 'batch_stats': batch_stats}
            logits, _ = net.apply(full, images, train=True, mutable=['batch_stats'])
            return (logits**2).sum()

        def run() -> jax.Array:
            wide = 'float64' if dtype == 'float64' else 'float32'
            tree, wide_images = jax.tree.map(lambda x: jnp.asarray(x, wide), (variables, images))
            gradient = jax.jit(jax.grad(loss))(tree['params'], tree['batch_stats'], wide_images)
            return jnp.concatenate([x.ravel() for x in jax.tree.leaves(gradient)])

        return run()

    with jax.enable_x64(True):
        exact = gradient(net, 'float64')
        for dtype in ('float32', 'bfloat16'):
            rounded = net.clone(dtype=jnp.dtype(dtype))
            plain, fused = (float(jnp.linalg.norm(gradient(n, dtype) - exact)) for n in (rounded, Fused(rounded)))
            assert fused < 2 * plain


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'model.order': 'full_preactivation'}, "is for CIFAR's networks of basic units; this order is not supported"),
        ({'model.shortcut': 'B'}, "is for CIFAR's networks of basic units; this shortcut is not supported"),
        ({'batch_norm.group_size': 12, 'batch_size': 24}, 'needs powers of two for the number of pixels'),
        ({'parallel.devices': 2}, r'is for one device; got 2 \(config.parallel.devices\)'),
    ],
)
def test_unsupported_configs_raise(changes: dict, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr('jax_resnet.backend.for_platform', lambda platform, *options: gpu.backend(*options[:2]))
    config = small_config(**{'gpu.fused_kernels': True, **changes})
    with pytest.raises(ConfigError, match=f'config.gpu.fused_kernels=True: {message}'):
        Experiment.from_config(config)


def test_evaluation_is_that_of_the_plain_network() -> None:
    net = models.cifar_resnet(8, norm=NORM)
    images = np.random.default_rng(0).normal(size=(2, 8, 8, 3)).astype('float32')
    shapes = jax.eval_shape(net.init, jax.random.key(0), images)
    variables = jax.tree.map(lambda x: np.full(x.shape, 0.1, x.dtype), shapes)
    np.testing.assert_array_equal(Fused(net).apply(variables, images), net.apply(variables, images))
