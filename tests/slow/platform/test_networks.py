"""The layouts in which a CPU and a GPU run networks compute what the plain networks compute."""

from functools import partial

import jax
import numpy as np
import pytest

from jax_resnet import models
from jax_resnet.platform import cpu, flat, for_platform, gpu
from jax_resnet.platform.base import Backend

NETWORKS = {
    'original': models.cifar_resnet(14, stage_sizes=(1, 2, 3), shortcut='B', norm=models.BatchNorms(group_size=2)),
    'pre-activation': models.cifar_resnet(20, unit='bottleneck', order='full_preactivation', stage_sizes=(2, 2, 2)),
    'gated': models.cifar_resnet(8, shortcut='exclusive_gating_-6'),
    'grouped': models.imagenet_resnet(50, groups=8, group_width=2, cifar_stem=True, num_classes=5).clone(
        stage_sizes=(1, 3), widths=(256, 512), layers=models.imagenet_resnet(50, groups=8, group_width=2).layers[:2]
    ),
}


def backend(platform: str, net: models.ResNet, **options: bool) -> tuple[models.ResNet, bool]:
    """Returns the network that programs run on this platform, and whether its arrays are flat."""
    found = {'cpu': cpu, 'gpu': gpu}[platform].backend(**options)
    return found.program_network(net.clone(**found.network)), found.flat_arrays


@pytest.mark.parametrize(
    ('name', 'platform'),
    [
        (name, platform)
        for name in NETWORKS
        for platform in ('cpu', 'gpu')
        if platform == 'gpu' or name in ('original', 'grouped')
    ],
)
def test_outputs_statistics_and_gradients(name: str, platform: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu, 'UNROLL', 1)  # the second stage is written out, and the third runs in a loop
    check(NETWORKS[name], *backend(platform, NETWORKS[name]))


@pytest.mark.parametrize(('flat_arrays', 'batch_norm_sums'), [(False, True), (True, False)])
def test_each_option_of_a_gpu_can_be_turned_off(flat_arrays: bool, batch_norm_sums: bool) -> None:
    plain = NETWORKS['original']
    net, is_flat = backend('gpu', plain, flat_arrays=flat_arrays, batch_norm_sums=batch_norm_sums)
    assert is_flat == flat_arrays and (net.norm == plain.norm) != batch_norm_sums
    check(plain, net, is_flat)


def test_a_network_that_is_too_deep_stays_stacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, 'MOST_UNITS', 5)
    deep, is_flat = backend('gpu', NETWORKS['original'])
    assert deep.stacked and not backend('gpu', NETWORKS['gated'])[0].stacked
    check(NETWORKS['original'], deep, is_flat)


def test_another_platform_runs_the_plain_network() -> None:
    found = for_platform('tpu', multiply_adds=1e18)
    assert found == Backend() and not found.compiler_options
    assert found.program_network(NETWORKS['original']) is NETWORKS['original']


def check(plain: models.ResNet, net: models.ResNet, is_flat: bool, batch: int = 4, size: int = 8) -> None:
    """Checks that logits, statistics and gradients in float64 agree to 1e-9."""
    images = np.random.default_rng(0).normal(size=(batch, size, size, 3))
    with jax.enable_x64(True):
        variables = jax.tree.map(
            lambda x: np.asarray(x, 'float64'),
            jax.jit(plain.init, compiler_options=cpu.ONE_CALL_OPTIONS)(jax.random.key(0), images),
        )

        def outputs(net: models.ResNet, saved: dict) -> tuple:
            def loss(params: dict) -> tuple:
                full = {'batch_stats': saved['batch_stats'], 'params': flat.unpack(params)}
                logits, updates = net.apply(full, images, train=True, mutable=['batch_stats'])
                return (logits**2).sum(), (logits, updates['batch_stats'])

            params = flat.pack(saved['params']) if is_flat else saved['params']
            gradient, (logits, batch_stats) = jax.grad(loss, has_aux=True)(params)
            return logits, flat.unpack(gradient), batch_stats

        run = jax.jit(outputs, static_argnums=0, compiler_options=cpu.ONE_CALL_OPTIONS)
        logits, *expected = run(plain, variables)
        same_logits, *found = run(net, models.stack(variables) if net.stacked else variables)
        found, expected = jax.device_get((models.unstack(found), expected))
    np.testing.assert_allclose(same_logits, logits, rtol=1e-9)
    largest = max(abs(x).max() for x in jax.tree.leaves(expected))
    jax.tree.map(partial(np.testing.assert_allclose, atol=1e-9 * largest), found, expected)
