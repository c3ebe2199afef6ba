"""Runs of several processes: they have one sample stream, one evaluation and one folder, and stop together."""

import shutil
import signal
from pathlib import Path

import jax
import numpy as np
import pytest

from jax_resnet.runs.run_folder import RunFolder
from jax_resnet.training.checkpoint import Checkpoints
from tests.conftest import metrics, saved_state
from tests.slow.faults import test_kills
from tests.slow.processes import SMALL, ProcessGroup

KEEP_ALL = ('--config.keep_every=1 steps',)


def train(count: int, devices: int, folder: Path, *more: str) -> None:
    with ProcessGroup(count, devices, folder / f'output{count}', [*SMALL, *more, f'--workdir={folder}']) as group:
        for index, ended in enumerate(group.wait()):
            assert (ended.code, ended.err) == (0, ''), ended
            assert ('compiling' in ended.out) == (index == 0)


@pytest.fixture(scope='module')
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of one process with four devices."""
    folder = tmp_path_factory.mktemp('alone')
    train(1, 4, folder, *KEEP_ALL)
    return folder


@pytest.mark.parametrize(('count', 'devices'), [(2, 2), pytest.param(4, 1, marks=pytest.mark.soak)])
def test_it_equals_the_run_of_one_process_up_to_rounding(alone: Path, tmp_path: Path, count: int, devices: int) -> None:
    train(count, devices, tmp_path, *KEEP_ALL)
    expected, found = saved_state(alone, 1), saved_state(tmp_path, 1)
    assert expected.totals.errors == found.totals.errors
    for a, b in zip(jax.tree.leaves(expected), jax.tree.leaves(found), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
    assert [line['step'] for line in metrics(tmp_path)] == [10, 20, 30, 40]
    assert metrics(tmp_path)[0]['train_loss'] == pytest.approx(metrics(alone)[0]['train_loss'], rel=0.05)
    start = RunFolder(tmp_path).starts()[0]
    assert start['device'].startswith('4 x cpu (') and start['device'].endswith(f'in {count} processes')
    assert not list(tmp_path.glob('start*'))


def test_one_checkpoint_has_the_same_scores_on_any_number_of_processes(alone: Path, tmp_path: Path) -> None:
    """A run without its summary evaluates its last checkpoint again."""
    shutil.copytree(alone / 'checkpoints', tmp_path / 'checkpoints')
    shutil.copy(alone / 'config.json', tmp_path)
    train(2, 1, tmp_path, *KEEP_ALL)
    with np.load(alone / 'predictions.npz') as expected, np.load(tmp_path / 'predictions.npz') as found:
        np.testing.assert_array_equal(expected['labels'], found['labels'])
        np.testing.assert_array_equal(expected['logits'].argmax(1), found['logits'].argmax(1))
        np.testing.assert_allclose(expected['logits'], found['logits'], rtol=1e-4, atol=1e-4)


def test_a_signal_to_one_process_stops_all_and_one_process_continues(tmp_path: Path) -> None:
    folder = tmp_path / 'run'
    with ProcessGroup(2, 1, tmp_path, [*SMALL, f'--workdir={folder}']) as group:
        group.wait_for('step 3')
        group.processes[1].send_signal(signal.SIGTERM)
        first, second = group.wait()
    assert first.code == second.code == 143
    assert first.err.strip().endswith('saved; the same command continues')
    assert first.err.startswith('stopped by SIGTERM at step ')
    step = Checkpoints(folder / 'checkpoints', read_only=True).steps()[-1]
    assert f'at step {step}, saved' in first.err
    train(1, 2, folder)
    assert [line['step'] for line in metrics(folder)] == [10, 20, 30, 40]
    assert [start['step'] for start in RunFolder(folder).starts()] == [0, step]


def test_processes_with_different_configs_are_an_error(tmp_path: Path) -> None:
    def arguments(index: int) -> list[str]:
        return [*SMALL, f'--config.seed={index}', f'--workdir={tmp_path / "run"}']

    with ProcessGroup(2, 1, tmp_path, arguments) as group:
        for ended in group.wait():
            assert ended.code == 2
            assert ended.err.strip().endswith('must have the same config; it differs from process 0 in: 1')


@pytest.mark.soak
def test_pictures_stream_to_several_processes(tmp_path: Path) -> None:
    """The first step, and the evaluation of a checkpoint by ten crops, are those of one process up to rounding."""
    pictures = [
        *(*test_kills.pictures(tmp_path), *KEEP_ALL, '--config.batch_size=32', '--config.batch_norm.group_size=16'),
        *('--config.train_for=9 steps', '--config.evaluate_every=5 steps', '--config.pictures.protocol=ten_crop'),
    ]
    for count in (1, 2):
        arguments = [*pictures, f'--workdir={tmp_path / str(count)}']
        with ProcessGroup(count, 2 // count, tmp_path / f'output{count}', arguments) as group:
            assert [ended.code for ended in group.wait()] == [0] * count, group.texts()
    by_one, by_two = (saved_state(tmp_path / str(count), 1) for count in (1, 2))
    for a, b in zip(jax.tree.leaves(by_one), jax.tree.leaves(by_two), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
    expected, other = (RunFolder(tmp_path / str(count)).summary() for count in (1, 2))
    assert expected is not None and other is not None
    again = tmp_path / 'again'
    shutil.copytree(tmp_path / '1' / 'checkpoints', again / 'checkpoints')
    shutil.copy(tmp_path / '1' / 'config.json', again)
    with ProcessGroup(2, 1, tmp_path / 'output', [*pictures, f'--workdir={again}']) as group:
        assert [ended.code for ended in group.wait()] == [0, 0], group.texts()
    found = RunFolder(again).summary()
    assert found is not None
    for name in ('final_test_error', 'protocol_test_error', 'class_errors'):
        assert found[name] == expected[name], name


def test_a_folder_that_is_not_shared_is_an_error(tmp_path: Path) -> None:
    with ProcessGroup(2, 1, tmp_path, lambda index: [*SMALL, f'--workdir={tmp_path / str(index)}']) as group:
        for ended in group.wait():
            assert ended.code == 2 and 'on a file system that all processes share' in ended.err
