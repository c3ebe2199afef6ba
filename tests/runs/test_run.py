"""What a run is, by its files, and how to look at it without disturbing it."""

import multiprocessing
import shutil
from pathlib import Path

import pytest

from jax_resnet.errors import ConfigError
from jax_resnet.runs import results_folder, run
from jax_resnet.runs.run_folder import RunFolder
from tests.conftest import whole_config
from tests.runs.conftest import LINE, SUMMARY

ROOT = Path(__file__).parents[2]


def test_states(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / 'run')
    assert run.read(folder.path, seed=3).state == run.MISSING and run.read(folder.path, seed=3).seed == 3
    folder.open(whole_config(seed=1))
    folder.add_metrics(LINE)
    assert run.read(folder.path).state == run.STOPPED and run.read(folder.path).seed == 1
    folder.write_failure('no luck')
    assert run.read(folder.path).state == run.FAILED and run.read(folder.path).detail == 'no luck'
    with folder.locked():
        assert run.read(folder.path).state == run.RUNNING
        assert run.read(folder.path).detail == 'at epoch 0.8 of 12 steps'
    folder.write_summary(SUMMARY)
    with folder.locked():
        assert run.read(folder.path).state == run.FINISHED
    assert {run.FINISHED, run.RUNNING, run.STOPPED, run.FAILED, run.MISSING} == {*run.STATES}


def test_a_result_is_a_run(tmp_path: Path) -> None:
    read = run.read(ROOT / 'results' / 'resnet20_digits' / 'seed1.json')
    assert (read.state, read.seed) == (run.FINISHED, 1)
    assert read.metrics[-1]['step'] == read.summary['steps'] == 270 and isinstance(read.metrics[0]['step'], int)
    assert read.config.schedule.drop_at == ('6 epochs', '9 epochs')


def test_a_result_keeps_top5_errors_and_those_of_the_protocol(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / 'run')
    folder.open(whole_config(), 'configs/resnet20_cifar100.py')
    folder.add_metrics(LINE | {'step': 12, 'test_error': 5.0, 'test_top5_error': 0.5, 'validation_top5_error': 1.5})
    tested = {'protocol': 'ten_crop', 'protocol_test_error': 4.5, 'protocol_test_top5_error': 0.25}
    folder.write_summary(SUMMARY | {'final_test_top5_error': 0.5, **tested})
    result = results_folder.collect(folder.path)
    (tmp_path / 'seed0.json').write_text(results_folder.as_text(result))
    of_folder, of_result = run.read(folder.path), run.read(tmp_path / 'seed0.json')
    assert [line['test_top5_error'] for line in of_result.metrics] == [0.5]
    assert [line['validation_top5_error'] for line in of_folder.metrics] == [1.5]
    assert of_result.summary == of_folder.summary == SUMMARY | {'final_test_top5_error': 0.5, **tested}


def test_a_folder_that_was_replaced_is_no_run(tmp_path: Path) -> None:
    for _ in range(2):
        folder = RunFolder(tmp_path / 'net' / 'seed0')
        folder.open(whole_config())
        folder.set_aside()
    assert sorted(path.name for path in (tmp_path / 'net').iterdir()) == ['seed0.replaced1', 'seed0.replaced2']
    with pytest.raises(ConfigError, match='has neither runs nor studies'):
        run.find([tmp_path])
    shutil.copytree(tmp_path / 'net' / 'seed0.replaced1', tmp_path / 'net' / 'seed1')
    assert run.find([tmp_path]) == ([], [tmp_path / 'net' / 'seed1'])


def _look(folder: Path, ready: object, end: object) -> None:
    while not end.is_set():  # type: ignore[attr-defined]
        RunFolder(folder).is_locked()
        ready.set()  # type: ignore[attr-defined]


def test_to_look_at_a_run_keeps_none_from_starting(tmp_path: Path) -> None:
    """Another process looks without a pause, while this one takes the lock and lets it go."""
    folder = RunFolder(tmp_path)
    with folder.locked():
        pass
    context = multiprocessing.get_context('spawn')
    ready, end = context.Event(), context.Event()
    looking = context.Process(target=_look, args=(tmp_path, ready, end))
    looking.start()
    try:
        assert ready.wait(60)
        for _ in range(300):
            with folder.locked():
                pass
        assert looking.is_alive()
    finally:
        end.set()
        looking.join()
    assert looking.exitcode == 0


def test_to_look_writes_nothing(tmp_path: Path) -> None:
    assert not RunFolder(tmp_path).is_locked() and not list(tmp_path.iterdir())
