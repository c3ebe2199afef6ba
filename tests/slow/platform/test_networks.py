"""The forms in which a CPU and a GPU run networks compute what the plain networks compute."""

from functools import partial

import jax
import numpy as np
import pytest

from jax_resnet import models
from jax_resnet.platform import cpu, for_platform, gpu
from jax_resnet.platform.base import Backend, Form
from jax_resnet.platform.flat import FlatForm

NETWORKS = {
    'original': models.cifar_resnet(14, stage_sizes=(1, 2, 3), shortcut='B', norm=models.BatchNorms(group_size=2)),
    'pre-activation': models.cifar_resnet(20, unit='bottleneck', order='full_preactivation', stage_sizes=(2, 2, 2)),
    'gated': models.cifar_resnet(8, shortcut='exclusive_gating_-6'),
    'grouped': models.imagenet_resnet(50, groups=8, group_width=2, cifar_stem=True, num_classes=5).clone(
        stage_sizes=(1, 3), widths=(256, 512), layers=models.imagenet_resnet(50, groups=8, group_width=2).layers[:2]
    ),
}


def form(platform: str, net: models.ResNet) -> Form:
    found = {'cpu': cpu, 'gpu': gpu}[platform].backend()
    return found.form(net.clone(**found.network))


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
    check(NETWORKS[name], form(platform, NETWORKS[name]))


@pytest.mark.parametrize(('flat_arrays', 'batch_norm_sums'), [(False, True), (True, False), (False, False)])
def test_each_option_of_a_gpu_can_be_turned_off(flat_arrays: bool, batch_norm_sums: bool) -> None:
    net = NETWORKS['original']
    found = gpu.form(net.clone(stacked=True), flat_arrays, batch_norm_sums)
    assert isinstance(found, FlatForm) == flat_arrays and (found.net.norm == net.norm) != batch_norm_sums
    check(net, found)


def test_a_network_that_is_too_deep_stays_stacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, 'MOST_UNITS', 5)
    deep = form('gpu', NETWORKS['original'])
    assert deep.net.stacked and not form('gpu', NETWORKS['gated']).net.stacked
    check(NETWORKS['original'], deep)


def test_another_platform_runs_the_plain_network() -> None:
    found = for_platform('tpu', multiply_adds=1e18)
    assert found == Backend() and not found.compiler_options
    assert found.form(NETWORKS['original']).net is NETWORKS['original']


def check(plain: models.ResNet, of_platform: Form, batch: int = 4, size: int = 8) -> None:
    """Checks that logits, statistics and gradients in float64 agree to 1e-9."""
    images = np.random.default_rng(0).normal(size=(batch, size, size, 3))
    with jax.enable_x64(True):
        variables = jax.tree.map(
            lambda x: np.asarray(x, 'float64'),
            jax.jit(plain.init, compiler_options=cpu.ONE_CALL_OPTIONS)(jax.random.key(0), images),
        )

        def outputs(form: Form, saved: dict) -> tuple:
            def loss(params: dict, batch_stats: dict) -> tuple:
                full = {'batch_stats': batch_stats, 'params': params}
                logits, updates = form.net.apply(full, images, train=True, mutable=['batch_stats'])
                return (logits**2).sum(), (logits, updates['batch_stats'])

            def run(saved: dict) -> tuple:
                gradient, (logits, batch_stats) = jax.grad(loss, has_aux=True)(
                    *(form.variables(saved)[name] for name in ('params', 'batch_stats'))
                )
                return logits, *(form.unpack_state(form.pack(tree)) for tree in (gradient, batch_stats))

            return jax.jit(run, compiler_options=cpu.ONE_CALL_OPTIONS)(saved)

        logits, *expected = outputs(Form(plain), variables)
        same_logits, *stacked = outputs(of_platform, models.stack(variables))
        unstacked, expected = jax.device_get(([models.unstack(tree) for tree in stacked], expected))
    np.testing.assert_allclose(same_logits, logits, rtol=1e-9)
    largest = max(abs(x).max() for x in jax.tree.leaves(expected))
    jax.tree.map(partial(np.testing.assert_allclose, atol=1e-9 * largest), unstacked, expected)
