"""What a run is, by its files, and how to look at it without disturbing it."""

import shutil
import threading
from pathlib import Path

import pytest

from jax_resnet.errors import ConfigError
from jax_resnet.runs import run
from jax_resnet.runs.run_folder import RunFolder
from tests.conftest import whole_config
from tests.runs.conftest import LINE, SUMMARY


def test_states(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / 'run')
    assert run.read(folder.path, seed=3).state == run.MISSING and run.read(folder.path, seed=3).seed == 3
    assert not folder.path.exists()
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


def test_to_look_at_a_run_keeps_none_from_starting(tmp_path: Path) -> None:
    """A thread looks without a pause, while this one takes the lock and lets it go."""
    folder, end = RunFolder(tmp_path), threading.Event()

    def look() -> None:
        while not end.is_set():
            folder.is_locked()

    looking = threading.Thread(target=look)
    looking.start()
    try:
        for _ in range(300):
            with folder.locked():
                pass
    finally:
        end.set()
        looking.join()
