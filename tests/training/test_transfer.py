"""Runs that begin with weights of another run, or of a file."""

from pathlib import Path

import numpy as np
import pytest
from flax.traverse_util import flatten_dict

import jax_resnet
from jax_resnet import models
from jax_resnet.errors import ConfigError, DataError
from jax_resnet.runs import weights
from jax_resnet.training import train
from jax_resnet.training.experiment import Experiment
from jax_resnet.training.transfer import begin_from
from tests.conftest import assert_equal_trees, small_config


@pytest.fixture(scope='module')
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('run')
    train(small_config(train_for='3 steps'), folder)
    return folder


def test_from_a_run_and_from_its_converted_weights(run: Path, tmp_path: Path) -> None:
    state = Experiment.of(small_config(seed=1)).initial_state()
    variables = jax_resnet.load(run).variables
    ours = {name: np.asarray(x) for name, x in flatten_dict(dict(variables), sep='/').items()}
    weights.write(tmp_path / 'ours.npz', ours)
    weights.write(tmp_path / 'theirs.safetensors', models.to_pytorch(variables, 'cifar'))
    for path in (run, tmp_path / 'ours.npz', tmp_path / 'theirs.safetensors'):
        new, line = begin_from(str(path), state)
        assert line == f'begun from {path}'
        assert_equal_trees(models.unstack(new.variables), dict(variables))
        assert_equal_trees(new.opt_state, state.opt_state)


def test_a_head_of_other_classes_begins_anew(run: Path, tmp_path: Path) -> None:
    variables = models.stack(jax_resnet.load(run).variables)
    variables['params']['head'] = {'kernel': np.ones((64, 7), np.float32), 'bias': np.ones(7, np.float32)}
    weights.write(tmp_path / 'seven.npz', flatten_dict(models.unstack(variables), sep='/'))
    state = Experiment.of(small_config(seed=1)).initial_state()
    new, line = begin_from(str(tmp_path / 'seven.npz'), state)
    assert line.endswith('seven.npz, with a new head')
    assert_equal_trees(new.params['head'], state.params['head'])
    assert_equal_trees(new.params['stage3'], variables['params']['stage3'])


def test_a_run_trains_on_from_it_and_says_so(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    summary = train(small_config(train_for='2 steps', init_from=str(run), seed=1), tmp_path)
    assert f'begun from {run}' in capsys.readouterr().out and summary['steps'] == 2


def test_another_network_is_one_line(run: Path) -> None:
    state = Experiment.of(small_config(**{'model.depth': 14})).initial_state()
    with pytest.raises(ConfigError, match=r'holds another network; batch_stats/stage1/rest/norm1/mean is not there'):
        begin_from(str(run), state)
    with pytest.raises(DataError, match='must end in'):
        begin_from('nowhere', state)
