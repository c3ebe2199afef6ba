"""One update by any number of microbatches is the same update; and rematerialization changes nothing."""

import jax
import numpy as np
import pytest

from jax_resnet.training.experiment import Experiment
from jax_resnet.training.state import TrainState
from tests.conftest import small_config


def after_a_step(**changes) -> TrainState:
    experiment = Experiment.of(small_config(**{'batch_norm.group_size': 8, **changes}))
    steps = experiment.steps()
    images, labels = experiment.train_examples.images[:32], experiment.train_examples.labels[:32]
    step = experiment.backend.jit(steps.step)
    return jax.device_get(step(experiment.initial_state(), images, labels))


@pytest.fixture(scope='module')
def expected() -> TrainState:
    return after_a_step()


@pytest.mark.parametrize(
    'changes',
    [
        {'memory.microbatches': 2},
        {'memory.microbatches': 4},
        {'memory.microbatches': 2, 'parallel.devices': 2},
        {'memory.rematerialize': True},
    ],
)
def test_equal_up_to_rounding(expected: TrainState, changes: dict) -> None:
    got = after_a_step(**changes)
    assert int(got.totals.errors) == int(expected.totals.errors)

    def close(a: np.ndarray, b: np.ndarray) -> None:
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-5 * max(abs(np.asarray(b)).max(), 1))

    jax.tree.map(close, got, expected)
