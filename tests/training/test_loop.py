"""Whole runs of a small network: the files that they write, and that stopping and continuing changes nothing."""

import json
import re
import shutil
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from jax.sharding import NamedSharding, PartitionSpec

from configs import scaled_cifar10
from jax_resnet import training
from jax_resnet.config.loading import as_config
from jax_resnet.data import open_source
from jax_resnet.data.preprocessing import Augmentation
from jax_resnet.errors import ConfigError, Diverged, OutOfMemory, Stopped
from jax_resnet.platform import cpu
from jax_resnet.runs.run_folder import RunFolder
from jax_resnet.training import setup
from jax_resnet.training.checkpoint import Checkpoints
from jax_resnet.training.evaluate import Evaluator
from jax_resnet.training.progress import Progress
from jax_resnet.training.step import Numbers, Steps
from jax_resnet.training.summary import PARTS
from tests.conftest import SMALLEST, assert_equal_trees, initial_state, metrics, saved_state, small_config
from tests.training.conftest import loop


@pytest.fixture(scope='module')
def whole_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict, Path, dict]:
    """An uninterrupted run of 12 steps: its config, folder and summary. It keeps a checkpoint before the last one."""
    config = make_config(keep_every='8 steps')
    folder = tmp_path_factory.mktemp('whole') / 'run'
    return config, folder, training.train(config, folder)


def make_config(**changes: Any) -> dict:
    return small_config(**{'dataset.validation': 'train[200:260]', **changes})


def test_a_finished_run_folder(whole_run: tuple) -> None:
    config, folder, summary = whole_run
    lines = metrics(folder)
    assert [line['step'] for line in lines] == [5, 10, 12]
    assert [line['epoch'] for line in lines] == [0.8, 1.6, 1.92]
    assert [line['learning_rate'] for line in lines] == [0.1, pytest.approx(0.01), pytest.approx(0.01)]
    for line in lines:
        assert line['train_error'] * 32 * {5: 5, 10: 5, 12: 2}[line['step']] / 100 % 1 == pytest.approx(0, abs=1e-6)
        assert float(line['test_error']).is_integer() and line['validation_error'] * 0.6 % 1 == pytest.approx(
            0, abs=1e-9
        )
        assert np.isfinite([line['train_loss'], line['test_loss'], line['validation_loss']]).all()

    assert summary == json.loads((folder / 'summary.json').read_text())
    assert summary['final_test_error'] == lines[-1]['test_error'] == 100 - summary['test_correct']
    best = min(lines, key=lambda line: line['test_error'])
    assert (summary['best_test_error'], summary['best_epoch']) == (best['test_error'], best['epoch'])
    assert summary['final_train_error'] == lines[-1]['train_error']
    assert summary['final_validation_error'] == lines[-1]['validation_error']
    assert (summary['steps'], summary['test_count']) == (12, 100)
    assert len(summary['class_errors']) == 10 and summary['parameters'] == 398

    predictions = np.load(folder / 'predictions.npz')
    assert predictions['logits'].shape == (100, 10)
    assert (predictions['logits'].argmax(1) == predictions['labels']).sum() == summary['test_correct']
    mistakes = np.load(folder / 'mistakes.npz')
    assert mistakes['images'].shape == (36, 16, 16, 1)
    assert (predictions['logits'].argmax(1) != predictions['labels'])[mistakes['index']].all()
    np.testing.assert_array_equal(mistakes['images'], open_source('digits').read('test').images[mistakes['index']])
    assert {path.name for path in folder.iterdir()} == {
        'config.json', 'environment.json', 'metrics.jsonl', 'summary.json', 'parameters.txt',
        'predictions.npz', 'mistakes.npz', 'preprocessing.npz', 'lock', 'checkpoints', 'tensorboard', 'progress.json',
    }  # fmt: skip
    assert Checkpoints(folder / 'checkpoints').steps() == [8, 12]
    assert 'stage1/unit1/conv1/kernel' in (folder / 'parameters.txt').read_text()
    assert list((folder / 'tensorboard').glob('events.*'))


def test_the_same_command_prints_the_summary_of_a_finished_run(whole_run: tuple, capsys: pytest.CaptureFixture) -> None:
    config, folder, summary = whole_run
    assert training.train(config, folder) == summary
    out = capsys.readouterr().out
    assert 'final test error' in out
    assert re.search(r'time  +training steps \d.*, compiling .*, other \d+\.\d %', out)
    parts = summary['seconds_by_part']
    assert parts.keys() == PARTS.keys() and min(parts.values()) >= 0
    assert sum(parts.values()) == pytest.approx(summary['seconds'])
    assert RunFolder(folder).origin() == {'file': None, 'changes': {}, 'fields': as_config(config)}


@pytest.mark.parametrize('kept', [2, 0, None])
def test_a_lost_last_line_of_metrics_is_written_again(whole_run: tuple, tmp_path: Path, kept: int | None) -> None:
    """The checkpoint has the totals. If no line is left, those of the last line are of all steps."""
    config, folder, summary = whole_run
    copy = shutil.copytree(folder, tmp_path / 'copy')
    (copy / 'summary.json').unlink()
    lines = (copy / 'metrics.jsonl').read_text().splitlines(True)
    (copy / 'metrics.jsonl').unlink()
    if kept is not None:
        (copy / 'metrics.jsonl').write_text(''.join(lines[:kept]))
    again = training.train(config, copy)
    for name in ('final_test_error', 'final_test_loss', 'final_validation_error', 'test_correct', 'class_errors'):
        assert again[name] == summary[name]
    if kept:
        assert metrics(copy) == metrics(folder) and again['final_train_error'] == summary['final_train_error']
    else:
        (line,), steps = metrics(copy), np.diff([0, 5, 10, 12])
        losses = [line['train_loss'] for line in metrics(folder)]
        assert line['step'] == 12 and line['train_loss'] == pytest.approx(np.average(losses, weights=steps))
    assert training.train(config, copy) == again


@pytest.mark.parametrize('steps_per_dispatch', [1, 7])
def test_no_result_depends_on_the_steps_per_dispatch(
    whole_run: tuple, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steps_per_dispatch: int
) -> None:
    config, folder, _ = whole_run
    monkeypatch.setattr(loop, 'dispatch_size', lambda *_: steps_per_dispatch)
    training.train(config, tmp_path)
    assert_equal_trees(saved_state(tmp_path, 12), saved_state(folder, 12))
    assert metrics(tmp_path) == metrics(folder)


def send_at_step(patch: pytest.MonkeyPatch, number: int, step: int) -> None:
    """Sends a signal to this process when training is at a step."""
    update = Progress.update

    def send(self: Progress, at: int, *others: Any) -> None:
        update(self, at, *others)
        if at == step:
            signal.raise_signal(number)

    patch.setattr(Progress, 'update', send)


@pytest.mark.parametrize(('number', 'stop_at'), [(signal.SIGINT, 4), (signal.SIGTERM, 7)])
def test_a_stopped_and_continued_run_equals_an_uninterrupted_run(
    whole_run: tuple, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, stop_at: int
) -> None:
    config, folder, _ = whole_run
    save = Checkpoints.save
    monkeypatch.setattr(loop, 'dispatch_size', lambda *_: 1)
    handlers = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]
    with monkeypatch.context() as patch:
        patch.setattr(Checkpoints, 'save', lambda self, state, spent: save(self, state, {**spent, 'other': 1000}))
        send_at_step(patch, number, stop_at)
        with pytest.raises(Stopped, match=f'at step {stop_at}, saved; the same command continues') as stopped:
            training.train(config, tmp_path)
    assert stopped.value.signal == number
    assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)] == handlers
    assert Checkpoints(tmp_path / 'checkpoints').steps()[-1] == stop_at
    RunFolder(tmp_path).write_failure('of an earlier start')
    assert training.train(config, tmp_path)['seconds'] > 1000 and RunFolder(tmp_path).metrics()[-1]['seconds'] > 1000
    assert_equal_trees(saved_state(tmp_path, 12), saved_state(folder, 12))
    assert metrics(tmp_path) == metrics(folder) and RunFolder(tmp_path).failure() is None


@pytest.mark.parametrize('one_dnn', [False, True])
def test_adam_dropout_and_drop_block_continue_to_the_last_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, one_dnn: bool
) -> None:
    """With oneDNN too, which runs the convolutions of long runs on a CPU."""
    if one_dnn and not cpu.has_one_dnn():
        pytest.skip('JAX has no oneDNN here')
    monkeypatch.setattr(cpu, 'ONE_DNN_MULTIPLY_ADDS', 0 if one_dnn else np.inf)
    recipe = scaled_cifar10.get_config()
    config = make_config(
        model={**recipe.model, **SMALLEST}, optimizer=recipe.optimizer, train_for='6 steps', **{'schedule.drop_at': ()}
    )
    assert config['optimizer']['name'] == 'adam' and config['model']['dropout'] and config['model']['drop_block']
    monkeypatch.setattr(loop, 'dispatch_size', lambda *_: 1)
    training.train(config, tmp_path / 'whole')
    with monkeypatch.context() as patch:
        send_at_step(patch, signal.SIGTERM, 3)
        with pytest.raises(Stopped, match='at step 3'):
            training.train(config, tmp_path / 'stopped')
    training.train(config, tmp_path / 'stopped')
    assert_equal_trees(saved_state(tmp_path / 'stopped', 6), saved_state(tmp_path / 'whole', 6))
    assert metrics(tmp_path / 'stopped') == metrics(tmp_path / 'whole')
    assert RunFolder(tmp_path / 'stopped').starts()[-1]['platform'].get('oneDNN', False) == one_dnn


def test_while_the_program_compiles_a_signal_ends_the_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python would run a handler only after the compiler has returned."""
    before, found = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)], []

    def compile_training(*_: Any) -> None:
        found.append([signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)])
        raise MemoryError('Unable to allocate 4 TiB')

    monkeypatch.setattr(setup.Setup, 'compile', compile_training)
    with pytest.raises(
        OutOfMemory, match=r'4 TiB\): give config.memory.rematerialize=True or a larger config.memory.m'
    ):
        training.train(make_config(), tmp_path)
    assert found == [before] and 'out of memory (Unable to allocate 4 TiB)' in str(RunFolder(tmp_path).failure())


def test_a_stop_during_evaluation_loses_nothing(
    whole_run: tuple, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, folder, _ = whole_run
    batches = Evaluator.batches

    def stop(self: Evaluator, variables: Any) -> Any:
        signal.raise_signal(signal.SIGTERM)
        yield from batches(self, variables)

    with monkeypatch.context() as patch:
        patch.setattr(Evaluator, 'batches', stop)
        with pytest.raises(Stopped, match='at step 5'):
            training.train(config, tmp_path)
    assert metrics(tmp_path) == []
    training.train(config, tmp_path)
    assert_equal_trees(saved_state(tmp_path, 12), saved_state(folder, 12))
    assert metrics(tmp_path) == metrics(folder)


def test_lines_after_the_last_checkpoint_are_replaced(
    whole_run: tuple, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After `kill -9`, metrics.jsonl may have a line of step 10 when the last checkpoint is of step 8."""
    config, folder, _ = whole_run

    class Killed(BaseException):
        pass

    def kill(*_: Any) -> None:
        raise Killed

    save = Checkpoints.save
    with monkeypatch.context() as patch:
        patch.setattr(RunFolder, 'write_predictions', kill)
        patch.setattr(Checkpoints, 'save', lambda self, state, spent: int(state.step) < 12 and save(self, state, spent))
        with pytest.raises(Killed):
            training.train(config, tmp_path)
    assert [line['step'] for line in metrics(tmp_path)] == [5, 10, 12]
    training.train(config, tmp_path)
    assert metrics(tmp_path) == metrics(folder)
    assert_equal_trees(saved_state(tmp_path, 12), saved_state(folder, 12))


@pytest.mark.parametrize('steps_per_dispatch', [1, 7])
def test_a_loss_that_is_not_finite_stops_the_run_and_names_the_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steps_per_dispatch: int
) -> None:
    """The first checkpoint, of step 2, is good. The update of step 3 makes the loss of step 4 infinite."""
    monkeypatch.setattr(loop, 'dispatch_size', lambda *_: steps_per_dispatch)
    changes = {'schedule.warmup_for': '2 steps', 'schedule.warmup_learning_rate': 0.01, 'checkpoint_every': '2 steps'}
    config = make_config(**changes, **{'schedule.learning_rate': 1e30})
    message = (
        r'^the loss or its gradient is not finite: step 4, epoch 0.64; last finite training loss: \S+, the mean of steps '
        r'\d to \d; learning rate: 1e\+30; changed fields: config.schedule.learning_rate=1e\+30; the last checkpoint is '
        r'of step 2$'
    )
    with pytest.raises(Diverged, match=message):
        training.train(config, tmp_path, file='small.py', changes={'schedule.learning_rate': 1e30})
    assert Checkpoints(tmp_path / 'checkpoints').steps() == [2] and not (tmp_path / 'summary.json').exists()
    with RunFolder(tmp_path).locked(), pytest.raises(ConfigError, match='another program trains in this folder'):
        training.train(config, tmp_path)
    assert 'is not finite' in str(RunFolder(tmp_path).failure())  # it is kept


def test_a_gradient_that_is_not_finite_stops_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """The square root of 0 is 0, and its derivative is infinite."""
    config = as_config(make_config())
    data, model, mesh, _, schedule, _ = setup.set_up(config)
    examples, numbers = data.source.read('train[:32]'), Numbers.create(0, schedule, data.preprocess.normalize)
    steps = Steps(config, model, False, data.augmentation, NamedSharding(mesh, PartitionSpec('data')))
    monkeypatch.setattr('optax.safe_softmax_cross_entropy', lambda logits, _: jax.numpy.sqrt(0 * logits[:, 0]))
    after = jax.jit(steps.step)(initial_state(make_config()), numbers, examples.images, examples.labels)
    assert float(after.totals.loss) == 0 and not after.finite


def test_keep_every_keeps_checkpoints_for_ever(tmp_path: Path) -> None:
    config = make_config(keep_every='3 steps', checkpoint_every='5 steps')
    training.train(config, tmp_path)
    # Of a finished run, that of step 10 is deleted.
    assert Checkpoints(tmp_path / 'checkpoints').steps() == [3, 6, 9, 12]
    (tmp_path / 'summary.json').unlink()
    shutil.rmtree(tmp_path / 'checkpoints' / '12')
    training.train(make_config(checkpoint_every='5 steps'), tmp_path)  # another start without keep_every
    assert Checkpoints(tmp_path / 'checkpoints').steps() == [3, 12]


@pytest.mark.parametrize('change', [{'memory.microbatches': 2}, {'parallel.devices': 2}])
def test_a_run_continues_with_other_microbatches_or_devices(whole_run: tuple, tmp_path: Path, change: dict) -> None:
    """So it can go on after a lack of memory, or elsewhere. The results differ by rounding."""
    config, folder, _ = whole_run
    copy = shutil.copytree(folder, tmp_path / 'run')
    (copy / 'summary.json').unlink()
    shutil.rmtree(copy / 'checkpoints' / '12')
    training.train(make_config(**change), copy)
    for a, b in zip(metrics(copy), metrics(folder), strict=True):
        assert a['train_loss'] == pytest.approx(b['train_loss'], rel=1e-4)


def test_another_seed_gives_another_run(whole_run: tuple, tmp_path: Path) -> None:
    config, folder, _ = whole_run
    first, second = make_config(), make_config(seed=1)
    assert as_config(first).stream_seed != as_config(second).stream_seed
    with pytest.raises(AssertionError):
        assert_equal_trees(initial_state(first).variables['params'], initial_state(second).variables['params'])
    training.train(second, tmp_path)
    assert metrics(tmp_path)[0]['train_loss'] != metrics(folder)[0]['train_loss']


def test_a_run_with_other_options(tmp_path: Path) -> None:
    """A run with the options that the other tests leave at their defaults."""
    changes = {
        'precision.compute': 'bfloat16', 'optimizer.nesterov': True, 'optimizer.decay': 'all', 'dataset.flip': True,
        'dataset.normalization': 'half', 'dataset.pad_with': 'black', 'dataset.crop': 14, 'dataset.test_crop': 14,
        'model.initialization': 'fan_in', 'batch_norm.group_size': 0,
        'schedule.warmup_for': '2 steps', 'schedule.warmup_learning_rate': 0.01,
    }  # fmt: skip
    summary = training.train(make_config(**changes), tmp_path, profile=True)
    assert summary['steps'] == 12 and metrics(tmp_path)[0]['train_loss'] < 5
    assert setup.set_up(as_config(make_config(**changes))).data.augmentation == Augmentation(1, 'black', 14, True)
    assert list((tmp_path / 'profile').rglob('*.xplane.pb'))


def test_parameters_that_are_not_finite_are_neither_saved_nor_a_result(tmp_path: Path) -> None:
    """The loss of the last step is finite, but the parameters after it are not."""
    changes = {'schedule.learning_rate': 1e38, 'schedule.drop_at': ()}
    with pytest.raises(Diverged, match='the validation loss is not finite'):
        training.train(make_config(**changes, train_for='1 step'), tmp_path / 'evaluated')
    changes |= {'checkpoint_every': '1 step', 'optimizer.weight_decay': 1e10}
    with pytest.raises(Diverged, match='parameters are not finite'):
        training.train(make_config(**changes), tmp_path / 'saved')
    for folder in ('evaluated', 'saved'):
        assert not Checkpoints(tmp_path / folder / 'checkpoints').steps() and not metrics(tmp_path / folder)


def test_a_thread_can_train(tmp_path: Path) -> None:
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(training.train, small_config(train_for='2 steps'), tmp_path / 'run').result()['steps'] == 2
