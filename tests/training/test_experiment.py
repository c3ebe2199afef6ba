from dataclasses import replace

import jax
import numpy as np
import pytest

import jax_resnet
from jax_resnet import models
from jax_resnet.data import Source
from jax_resnet.errors import ConfigError
from jax_resnet.hosts import processes
from jax_resnet.platform import cpu_convolution
from jax_resnet.training.experiment import Experiment
from jax_resnet.training.summary import introduce
from tests.conftest import small_config


def test_learning_rate_of_the_update_that_leads_to_a_step() -> None:
    experiment = Experiment.from_config(small_config())
    assert [experiment.learning_rate(step) for step in (0, 1, 6, 7)] == [0.1, 0.1, 0.1, pytest.approx(0.01)]


def test_paper_options_reach_the_network() -> None:
    experiment = Experiment.from_config(small_config(**{'precision.compute': 'bfloat16', 'batch_norm.momentum': 0.8}))
    assert experiment.model.dtype == 'bfloat16' and experiment.model.stacked
    assert experiment.model.norm == models.BatchNorms(group_size=16, momentum=0.8)
    on_cpu = jax.local_devices()[0].platform == 'cpu'
    assert (experiment.model.conv is cpu_convolution.Conv) == on_cpu  # only CPUs have hand-written gradients


def test_a_step_beyond_the_window_of_the_stream_is_an_error() -> None:
    """With 200 examples and batches of 32, the two epochs from step 0 on contain 12 whole batches."""
    experiment = Experiment.from_config(small_config())
    state = experiment.initial_state()
    run = experiment.compile(state)
    with pytest.raises(ValueError, match='from step 0, the stream reaches to step 12; got 13'):
        run(state, 13)
    assert int(run(state, 12).step) == 12


def test_training_on_test_examples_is_logged() -> None:
    experiment = Experiment.from_config(small_config(**{'dataset.train': 'train[:100]+test[:50]'}))
    params = experiment.abstract_state().params
    line = "50 examples of 'test[:100]' are also training examples: the test error is biased"
    assert line in introduce(experiment, params)
    experiment = Experiment.from_config(small_config())
    assert not any('biased' in line for line in introduce(experiment, params))


def test_a_warm_up_rate_without_a_warm_up_is_logged() -> None:
    experiment = Experiment.from_config(small_config(**{'schedule.warmup_learning_rate': 0.01}))
    lines = introduce(experiment, experiment.abstract_state().params)
    assert 'schedule.warmup_learning_rate has no effect, as schedule.warmup_for is None' in lines


def test_an_evaluation_computes_no_more_images_at_a_time_than_a_microbatch_has() -> None:
    for microbatches, size in ((1, 32), (2, 16)):
        experiment = Experiment.from_config(small_config(**{'memory.microbatches': microbatches}))
        evaluator, variables = experiment.evaluator('test'), experiment.initial_state().variables
        assert len(next(evaluator.batches(experiment.on_own_devices(variables)))[1]) == size


@pytest.mark.parametrize('different', ['config', 'data', 'versions', None])
def test_all_processes_must_have_the_same(different: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """One process acts as process 0, and then as process 1 of 3."""
    gathered: list[tuple[int, ...]] = []

    def gather(*numbers: int) -> np.ndarray:
        gathered.append(numbers)
        return np.array([gathered[0], numbers, gathered[0]], np.int32)

    monkeypatch.setattr(processes, 'gather_numbers', gather)
    first = Experiment.from_config(small_config())
    first.check_same_in_all()
    source = first.input.source
    assert isinstance(source, Source)
    if different == 'data':
        source = replace(source, class_names=(*source.class_names[:-1], 'another'))
    if different == 'versions':
        monkeypatch.setattr(jax_resnet, '__version__', '0.0')
    second = Experiment.from_config(small_config(seed=1 if different == 'config' else 0), source)
    if different is None:
        second.check_same_in_all()
    else:
        with pytest.raises(ConfigError, match=f'must have the same {different}; it differs from process 0 in: 1$'):
            second.check_same_in_all()
