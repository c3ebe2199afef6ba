from dataclasses import replace
from typing import Any

import jax
import numpy as np
import pytest

import jax_resnet
from jax_resnet import models
from jax_resnet.errors import ConfigError
from jax_resnet.hosts import processes
from jax_resnet.platform import cpu_convolution
from jax_resnet.training.evaluate import Evaluator
from jax_resnet.training.setup import check_same_in_all, open_input, set_up, shared_facts
from jax_resnet.training.summary import introduce
from tests.conftest import compiled, initial_state, small_config, whole_config


def test_paper_options_reach_the_network() -> None:
    model = set_up(whole_config(**{'precision.compute': 'bfloat16', 'batch_norm.momentum': 0.8})).model
    assert model.dtype == 'bfloat16' and model.stacked
    assert model.norm == models.BatchNorms(group_size=16, momentum=0.8)
    on_cpu = jax.local_devices()[0].platform == 'cpu'
    assert (model.conv is cpu_convolution.Conv) == on_cpu  # only CPUs have hand-written gradients


def test_a_dispatch_ends_at_the_window_of_the_stream() -> None:
    """With 200 examples and batches of 32, the two epochs from step 0 on contain 12 whole batches."""
    assert int(compiled(small_config())(initial_state(small_config()), 13).step) == 12


def introduced(**changes: Any) -> list[str]:
    return introduce(set_up(whole_config(**changes)))


def test_training_on_test_examples_is_logged() -> None:
    line = "50 examples of 'test[:100]' are also training examples: the test error is biased"
    assert line in introduced(**{'dataset.train': 'train[:100]+test[:50]'})
    assert not any('biased' in line for line in introduced())


def test_a_shortened_recipe_is_told() -> None:
    lines = introduced(train_for='64 steps', shorten=8, **{'schedule.drop_at': ('30 steps',)})
    assert '200 training examples, 8 steps, 1.28 epochs (shortened 8 times)' in lines
    assert 'learning rate 0.1 from step 0, 0.01 from step 4' in lines  # 3.75


def test_the_classes_are_told() -> None:
    (line,) = (line for line in introduced() if line.startswith('10 classes: 0 '))
    assert sum(int(each.split()[1]) for each in line.removeprefix('10 classes: ').split(', ')) == 200


def test_an_evaluation_computes_no_more_images_at_a_time_than_a_microbatch_has() -> None:
    for microbatches, size in ((1, 32), (2, 16)):
        config = whole_config(**{'memory.microbatches': microbatches})
        data, model, mesh, *_ = set_up(config)
        test = Evaluator(data, model, mesh, 'test')
        assert len(next(test.batches(initial_state(small_config()).variables))[1]) == size


@pytest.mark.parametrize('different', ['config', 'data', 'versions', None])
def test_all_processes_must_have_the_same(different: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """One process acts as process 0, and then as process 1 of 3."""
    gathered: list[tuple[int, ...]] = []

    def gather(*numbers: int) -> np.ndarray:
        gathered.append(numbers)
        return np.array([gathered[0], numbers, gathered[0]], np.int32)

    monkeypatch.setattr(processes, 'gather_numbers', gather)
    data = open_input(whole_config())
    check_same_in_all(shared_facts(data))
    if different == 'data':
        data = open_input(data.config, replace(data.source, class_names=(*data.source.class_names[:-1], 'another')))
    if different == 'versions':
        monkeypatch.setattr(jax_resnet, '__version__', '0.0')
    if different == 'config':
        data = open_input(whole_config(seed=1))
    if different is None:
        check_same_in_all(shared_facts(data))
    else:
        with pytest.raises(ConfigError, match=f'must have the same {different}; it differs from process 0 in: 1$'):
            check_same_in_all(shared_facts(data))
