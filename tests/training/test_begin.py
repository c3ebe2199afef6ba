"""Runs that begin with the weights of another run or of a file."""

import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from flax.traverse_util import flatten_dict

import jax_resnet
from jax_resnet import models
from jax_resnet.config.loading import as_config
from jax_resnet.config.network import network
from jax_resnet.errors import ConfigError, DataError
from jax_resnet.runs import weights
from jax_resnet.runs.run_folder import RunFolder
from jax_resnet.training import train
from jax_resnet.training.begin import begin_from
from jax_resnet.training.load import flat
from tests.conftest import RESNET8, assert_equal_trees, initial_state, small_config

resnet8_config = partial(small_config, RESNET8)
NET = network(as_config(resnet8_config()))


@pytest.fixture(scope='module')
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('run')
    train(resnet8_config(train_for='3 steps'), folder)
    return folder


def test_from_a_run_and_from_its_converted_weights(run: Path, tmp_path: Path) -> None:
    state = initial_state(resnet8_config(seed=1))
    variables = jax_resnet.load(run).variables
    ours = {name: np.asarray(x) for name, x in flatten_dict(dict(variables), sep='/').items()}
    weights.write(tmp_path / 'ours.safetensors', ours)
    weights.write(tmp_path / 'theirs.safetensors', models.to_pytorch(variables, 'cifar'))
    weights.write(tmp_path / 'recorded.safetensors', ours, RunFolder(run).origin())
    assumptions = (
        '; it does not name its network; shortcut A, order original, units basic are taken from the config, unchecked'
    )
    for path, addition in (
        (run, ''),
        (tmp_path / 'ours.safetensors', assumptions),
        (tmp_path / 'theirs.safetensors', assumptions),
        (tmp_path / 'recorded.safetensors', ''),
    ):
        new, line = begin_from(str(path), state, NET)
        assert line == f'initialized from {path}{addition}'
        assert_equal_trees(models.unstack(new.variables), dict(variables))
        assert_equal_trees(new.opt_state, state.opt_state)


def test_a_run_that_continues_does_not_need_the_weights(run: Path, tmp_path: Path) -> None:
    source = shutil.copytree(run, tmp_path / 'source')
    config = resnet8_config(train_for='2 steps', init_from=str(source))
    first = train(config, tmp_path / 'run')
    shutil.rmtree(source)
    (tmp_path / 'run' / 'summary.json').unlink()
    assert train(config, tmp_path / 'run')['final_test_loss'] == first['final_test_loss']


def test_a_head_for_other_classes_is_new(run: Path, tmp_path: Path) -> None:
    variables = models.stack(jax_resnet.load(run).variables)
    variables['params']['head'] = {'kernel': np.ones((64, 7), np.float32), 'bias': np.ones(7, np.float32)}
    weights.write(tmp_path / 'seven.safetensors', flatten_dict(models.unstack(variables), sep='/'))
    state = initial_state(resnet8_config(seed=1))
    new, line = begin_from(str(tmp_path / 'seven.safetensors'), state, NET)
    assert 'seven.safetensors, with a new head; it does not name' in line
    assert_equal_trees(new.params['head'], state.params['head'])
    assert_equal_trees(new.params['stage3'], variables['params']['stage3'])


def test_weights_of_another_network_leave_no_run_folder(run: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match='not of a ResNet-14'):
        train(resnet8_config(init_from=str(run), **{'model.depth': 14}), tmp_path / 'run')
    assert not (tmp_path / 'run').exists()


def test_another_network_is_an_error_of_one_line(run: Path, tmp_path: Path) -> None:
    config = resnet8_config(**{'model.depth': 14})
    state, deeper = initial_state(config), network(as_config(config))
    message = 'has another network; these are the weights of a ResNet-8, not of a ResNet-14'
    with pytest.raises(ConfigError, match=message):
        begin_from(str(run), state, deeper)
    weights.write(tmp_path / 'ours.safetensors', flat(jax_resnet.load(run).variables))
    with pytest.raises(ConfigError, match=f'{message}; batch_stats/stage1/unit2/norm1/mean is missing in the weights'):
        begin_from(str(tmp_path / 'ours.safetensors'), state, deeper)
    for path in ('nowhere', str(tmp_path / 'none.safetensors')):
        with pytest.raises(ConfigError, match=f"config.init_from='{path}': no such file or run folder"):
            begin_from(path, state, deeper)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'model.shortcut': 'A_centred'}, 'shortcut is A in the weights, A_centred in the config'),
        ({'model.order': 'bn_after_addition'}, 'order is original in the weights, bn_after_addition in the config'),
        ({'batch_norm.epsilon': 0.1}, 'batch_norm.epsilon is 1e-05 in the weights, 0.1 in the config'),
    ],
)
def test_another_network_with_the_same_names_of_arrays(run: Path, tmp_path: Path, change: dict, message: str) -> None:
    recorded = tmp_path / 'recorded.safetensors'
    weights.write(recorded, models.to_pytorch(jax_resnet.load(run).variables, 'cifar'), RunFolder(run).origin())
    other, state = network(as_config(resnet8_config(**change))), initial_state(resnet8_config())
    for path in (run, recorded):
        with pytest.raises(ConfigError, match=f"^config.init_from='{path}': has another network; {message}$"):
            begin_from(str(path), state, other)


@pytest.mark.parametrize(
    ('name', 'value', 'problem'),
    [
        ('params/stem/conv/kernel', np.int32(1), 'is int32; weights must be floating-point numbers'),
        ('layer2.0.conv1.weight', np.nan, 'has NaN or infinite numbers; weights must be finite'),
        ('params/head/bias', 1e39, 'has NaN or infinite numbers; weights must be finite'),  # infinite as float32
        ('bn1.running_var', -1e-3, 'has negative numbers; a variance must be 0 or more'),
    ],
)
def test_unsound_weights_are_an_error_that_names_the_array(
    run: Path, tmp_path: Path, name: str, value: float, problem: str
) -> None:
    variables = jax_resnet.load(run).variables
    arrays = flat(variables) if '/' in name else models.to_pytorch(variables, 'cifar')
    arrays = {**arrays, name: np.array(arrays[name], np.asarray(value).dtype)}
    arrays[name].flat[-1] = value
    weights.write(tmp_path / 'unsound.safetensors', arrays)
    with pytest.raises(DataError, match=f'unsound.safetensors: {name} {problem}$'):
        begin_from(str(tmp_path / 'unsound.safetensors'), None, NET)


def test_a_head_of_other_classes_is_told(run: Path, tmp_path: Path) -> None:
    folder, path = RunFolder(run), tmp_path / 'letters.safetensors'
    about = folder.preprocessing()._replace(class_names=tuple('abcdefghij'))
    weights.write(path, flat(jax_resnet.load(run).variables), dict(folder.origin()), about)
    state = initial_state(folder.config())
    _, line = begin_from(str(path), state, NET, tuple('0123456789'))
    assert line.endswith(", with its head, which has learned other classes: 'a', where the data has '0'")
    assert begin_from(str(path), state, NET, tuple('ABCDEFGHIJ'))[1] == f'initialized from {path}'
