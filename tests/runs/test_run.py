"""What a run is, by its files, and how to look at it without disturbing it."""

import threading
from pathlib import Path

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
    assert str(run.read(folder.path)) == 'stopped, at epoch 0.8 of 12 steps' and run.read(folder.path).seed == 1
    folder.write_failure('no luck')
    assert str(run.read(folder.path)) == 'failed, no luck'
    with folder.locked():
        assert str(run.read(folder.path)) == 'running, at epoch 0.8 of 12 steps'
    folder.write_summary(SUMMARY)
    with folder.locked():
        assert str(run.read(folder.path)) == 'finished, 5.00 % test error, 3 s'


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
