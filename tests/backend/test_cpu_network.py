"""A network as training runs it on a CPU is the network."""

from functools import partial

import jax
import numpy as np
import pytest

from jax_resnet import models
from jax_resnet.backend import cpu


def test_outputs_statistics_and_gradients(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu, 'UNROLL', 1)  # the second stage's stack is written out, the third's runs in a loop
    images = np.random.default_rng(0).normal(size=(4, 8, 8, 3))
    with jax.enable_x64(True):
        plain = models.cifar_resnet(14, stage_sizes=(1, 2, 3), shortcut='B')
        trained = plain.clone(**cpu.backend().network)
        variables = jax.tree.map(
            lambda x: np.asarray(x, 'float64'),
            jax.jit(plain.init, compiler_options=cpu.ONE_CALL_OPTIONS)(jax.random.key(0), images),
        )

        def of(net: models.ResNet, variables: dict) -> tuple:
            def loss(params: dict) -> tuple:
                full = {**variables, 'params': params}
                logits, updates = net.apply(full, images, train=True, mutable=['batch_stats'])
                return (logits**2).sum(), (logits, updates['batch_stats'])

            run = jax.jit(jax.grad(loss, has_aux=True), compiler_options=cpu.ONE_CALL_OPTIONS)
            gradient, (logits, batch_stats) = run(variables['params'])
            return logits, {'params': gradient, 'batch_stats': batch_stats}

        logits, expected = of(plain, variables)
        same_logits, stacked = of(trained, models.stack(variables))
        unstacked, expected = jax.device_get((models.unstack(stacked), expected))
    np.testing.assert_allclose(same_logits, logits, rtol=1e-9)
    largest = max(abs(x).max() for x in jax.tree.leaves(expected))
    jax.tree.map(partial(np.testing.assert_allclose, atol=1e-9 * largest), unstacked, expected)
