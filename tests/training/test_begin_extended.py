"""A run that begins with the checkpoint of a shorter run ends like a run from the start. The shorter run stays."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from jax_resnet import training
from jax_resnet.errors import ConfigError, DataError
from jax_resnet.runs.run_folder import RunFolder
from jax_resnet.training import setup
from jax_resnet.training.begin import extend, find_extension
from tests.conftest import metrics, small_config, whole_config


def content(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in sorted(folder.rglob('*')) if path.is_file()}


@pytest.fixture(scope='module')
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of 7 steps, with evaluations at 5 and 7, and checkpoints at 4 and 7."""
    folder = tmp_path_factory.mktemp('short') / 'run'
    training.train(
        small_config(train_for='7 steps', keep_every='4 steps', **{'schedule.drop_at': ('6 steps',)}), folder
    )
    return folder


def test_an_extended_run_equals_a_run_from_the_start(
    short: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    """It begins with step 7, the end of the shorter run, at which the longer one has no evaluation."""
    longer = small_config(train_for='12 steps', **{'schedule.drop_at': ('6 steps', '10 steps')})
    training.train(longer, tmp_path / 'whole')
    before = content(short)
    training.train(longer, tmp_path / 'extended', extend_from=short)
    line = f'begins with step 7 of {short}; the learning rates up to there are the same'
    assert line in capsys.readouterr().out
    starts = json.loads((tmp_path / 'extended' / 'environment.json').read_text())
    assert [start['step'] for start in starts] == [0, 7] and starts[-1]['extension'] == line
    assert content(short) == before
    whole, extended = (metrics(tmp_path / name) for name in ('whole', 'extended'))
    assert [line['step'] for line in extended] == [5, 7, 10, 12]
    assert [line['train_error_sum'] for line in extended if line['step'] != 7] == [
        line['train_error_sum'] for line in whole
    ]
    assert extended[-1] == whole[-1]
    whole, extended = (np.load(tmp_path / name / 'predictions.npz')['logits'] for name in ('whole', 'extended'))
    np.testing.assert_array_equal(whole, extended)


def test_another_learning_rate_is_logged(short: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """The learning rate of the longer run drops before the checkpoint with which it begins."""
    training.train(small_config(**{'schedule.drop_at': ('3 steps',)}), tmp_path / 'run', extend_from=short)
    assert (
        f'begins with step 7 of {short}; a run from the start would differ: the learning rate of step 4 is 0.1 in the '
        'shorter run, 0.01 in this one'
    ) in capsys.readouterr().out


def test_a_run_begins_with_an_earlier_step_and_other_data(
    short: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    config = {'train_for': '8 steps', 'schedule.drop_at': ('6 steps',)}
    for seed in (None, 1):
        folder = tmp_path / f'data{seed}'
        training.train(small_config(data_seed=seed, **config), folder, extend_from=f'{short}@4')
    training.train(small_config(**config), tmp_path / 'whole')
    assert (
        f'begins with step 4 of {short}; a run from the start would differ: the data seed is 0 in the shorter run, 1'
        in capsys.readouterr().out
    )
    starts = json.loads((tmp_path / 'data1' / 'environment.json').read_text())
    assert [start['step'] for start in starts] == [0, 4]
    whole, same, other = (
        np.load(tmp_path / name / 'predictions.npz')['logits'] for name in ('whole', 'dataNone', 'data1')
    )
    np.testing.assert_array_equal(whole, same)
    assert not np.array_equal(whole, other)
    with pytest.raises(ConfigError, match='has no checkpoint at step 5; it has those at 4, 7'):
        training.train(small_config(**config), tmp_path / 'none', extend_from=f'{short}@5')


def test_the_same_command_continues_an_extended_run(short: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    config, folder = whole_config(), RunFolder(tmp_path / 'run')
    extension = find_extension(short, folder, setup.set_up(config))
    folder.open(config)
    extend(extension, folder)
    assert folder.saved_steps() == extension.steps == [4, 7]
    training.train(config, folder.path, extend_from=short)
    assert 'continued from step 7' in (out := capsys.readouterr().out) and 'begins with' not in out


def test_other_classes_are_refused(short: Path, tmp_path: Path) -> None:
    other = RunFolder(shutil.copytree(short, tmp_path / 'other'))
    names = ('zero', *'123456789')
    other.write_preprocessing(other.preprocessing()._replace(class_names=names))
    with pytest.raises(DataError, match='class'):
        training.train(small_config(), tmp_path / 'run', extend_from=other.path)


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'seed': 1}, 'config.seed is 0 in the existing run, 1 in this one; these must be the same'),
        ({'schedule.head_factor': 10.0}, 'config.schedule.head_factor is 1.0 in the existing run, 10.0 in this one'),
        ({'batch_size': 64}, 'config.batch_size is 32 in the existing run, 64 in this one'),
        ({'train_for': '4 steps', 'schedule.drop_at': ()}, 'has no checkpoint before step 4, the end of this run'),
    ],
)
def test_runs_that_cannot_be_extended(short: Path, tmp_path: Path, changes: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        training.train(small_config(**changes), tmp_path / 'run', extend_from=short)
    assert not (tmp_path / 'run').exists()


def test_a_run_that_is_trained_now_is_not_extended(short: Path, tmp_path: Path) -> None:
    with (
        RunFolder(short).locked(),
        pytest.raises(ConfigError, match='a program trains in this folder; wait until it ends'),
    ):
        training.train(small_config(), tmp_path / 'run', extend_from=short)
    assert not (tmp_path / 'run').exists()
