"""Whole networks against what PyTorch computed (tests/references), in float64, in both forms.

`tests/slow/test_resnet.py` trains with every shortcut and convolution, in both forms.
"""

from functools import partial
from pathlib import Path

import flax.linen as nn
import jax
import numpy as np
import optax
import pytest
from flax.traverse_util import flatten_dict, unflatten_dict

from jax_resnet import models
from jax_resnet.config.fields import Optimizer
from jax_resnet.models import LAYERS, ResNet, Stage, Stem
from jax_resnet.platform import cpu, cpu_convolution
from jax_resnet.training import optimizer

REFERENCES = np.load(Path(__file__).parents[1] / 'references' / 'torch_resnet14.npz')
CONVOLUTIONS = {
    'plain gradients': nn.Conv,
    'gradients for CPUs': cpu_convolution.Conv,
    'gradients for oneDNN': partial(
        nn.Conv,
        conv_general_dilated=partial(
            cpu_convolution.conv_general_dilated, kernel_gradient=cpu_convolution.channels_as_columns
        ),
    ),
}


def network(shortcut: str, **attributes) -> models.ResNet:
    return ResNet(
        stage_sizes=(2, 2, 2),
        widths=(4, 8, 16),
        layers=(LAYERS['basic'],) * 3,
        shortcut=shortcut,
        stem=Stem(channels=4),
        **attributes,
    )


def reference(prefix: str) -> dict:
    """The arrays below `prefix`, as a tree, in float64."""
    names = [name for name in REFERENCES.files if name.startswith(prefix)]
    return unflatten_dict({name.removeprefix(prefix): np.float64(REFERENCES[name]) for name in names}, sep='/')


def assert_close(ours: dict, theirs: dict, tolerance: float = 1e-5) -> None:
    """Within `tolerance` of each tensor's largest value."""
    ours, theirs = (flatten_dict(tree, sep='/') for tree in (ours, theirs))
    assert ours.keys() == theirs.keys()
    for name, expected in theirs.items():
        np.testing.assert_allclose(ours[name], expected, rtol=0, atol=tolerance * abs(expected).max(), err_msg=name)


@pytest.mark.parametrize('shortcut', ['A', 'B', 'none'])
@pytest.mark.parametrize('stacked', [False, True])
def test_evaluation(shortcut: str, stacked: bool) -> None:
    with jax.enable_x64(True):
        variables = reference(f'{shortcut}/before/')
        net = network(shortcut, stacked=stacked)
        logits, captured = net.apply(
            models.stack(variables) if stacked else variables,
            np.float64(REFERENCES['images']),
            capture_intermediates=lambda module, _: isinstance(module, Stage),
        )
        assert_close({'logits': logits}, {'logits': reference(f'{shortcut}/')['logits']})
        for stage in ('stage1', 'stage2', 'stage3'):
            ours = captured['intermediates'][stage]['__call__'][0]
            assert_close({stage: ours}, {stage: reference(f'{shortcut}/')[stage]})


def check_training(shortcut: str, stacked: bool, conv: str) -> None:
    """Loss and gradients of the first step, then parameters and running means after three."""
    with jax.enable_x64(True):
        net = network(shortcut, stacked=stacked, conv=CONVOLUTIONS[conv])
        variables = reference(f'{shortcut}/before/')
        variables = models.stack(variables) if stacked else variables
        params, batch_stats = variables['params'], variables['batch_stats']
        images, labels = np.float64(REFERENCES['images']), np.int32(REFERENCES['labels'])
        tx = optimizer.create(Optimizer(decay='all'), optax.join_schedules([lambda _: 0.1, lambda _: 0.01], [2]))
        opt_state = tx.init(params)

        @partial(jax.jit, compiler_options=cpu.ONE_CALL_OPTIONS)
        @partial(jax.value_and_grad, has_aux=True)
        def loss_of(params: dict, batch_stats: dict) -> tuple:
            variables = {'params': params, 'batch_stats': batch_stats}
            logits, updates = net.apply(variables, images, train=True, mutable=['batch_stats'])
            return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean(), updates['batch_stats']

        for step in range(3):
            (loss, batch_stats), gradient = loss_of(params, batch_stats)
            if step == 0:
                assert loss == pytest.approx(float(REFERENCES[f'{shortcut}/loss']), rel=1e-6)
                assert_close({'params': models.unstack(gradient)}, reference(f'{shortcut}/gradient/'))
            updates, opt_state = tx.update(gradient, opt_state, params)
            params = optax.apply_updates(params, updates)

        means = {n: x for n, x in flatten_dict(models.unstack(batch_stats), sep='/').items() if n.endswith('/mean')}
        after = {'params': models.unstack(params), 'batch_stats': unflatten_dict(means, sep='/')}
        assert_close(after, reference(f'{shortcut}/after/'))


@pytest.mark.parametrize(
    ('stacked', 'conv'),
    [(True, 'plain gradients'), (False, 'gradients for CPUs'), (False, 'gradients for oneDNN')],
)
def test_training(stacked: bool, conv: str) -> None:
    check_training('A', stacked, conv)
