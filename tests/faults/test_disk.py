"""A disk that is full, or fails: one line, what was saved stays, and the run is continued when there is room again."""

import errno
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from jax_resnet import training
from jax_resnet.errors import DataError
from jax_resnet.runs.run_folder import RunFolder
from jax_resnet.training.checkpoints import Checkpoints
from tests.conftest import small_config

CONFIG = small_config(**{'evaluate_every': '4 steps'})


@pytest.fixture(scope='module')
def whole_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('whole') / 'run'
    training.train(CONFIG, folder)
    return folder


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1.5 MB, which holds one checkpoint."""
    disk = tmp_path / 'disk'
    disk.mkdir()
    made = subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=1500k', 'tmpfs', disk], capture_output=True, check=False)
    if made.returncode:
        pytest.skip('mounting a small file system takes privileges')
    yield disk
    subprocess.run(['umount', '--lazy', disk], check=True)


def errors(folder: Path) -> list[tuple[int, float, float]]:
    return [(line['step'], line['train_error'], line['test_loss']) for line in RunFolder(folder).metrics()]


def test_a_full_disk(whole_run: Path, small_disk: Path) -> None:
    folder = small_disk / 'run'
    with pytest.raises(
        DataError, match='checkpoints: the disk is full, .* MB are free and a checkpoint takes'
    ) as error:
        training.train(CONFIG, folder)
    assert '\n' not in str(error.value)
    saved = Checkpoints(folder / 'checkpoints', read_only=True).steps()
    assert saved == [4]
    assert training.evaluate(folder).count == 100
    subprocess.run(['mount', '-o', 'remount,size=9m', small_disk], check=True)
    training.train(CONFIG, folder)
    assert errors(folder) == errors(whole_run)


def test_a_disk_that_fails_while_metrics_are_written(
    whole_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second line is cut short, as a full disk does."""
    add_metrics = RunFolder.add_metrics

    def fail(self: RunFolder, line: dict) -> None:
        if line['step'] == 4:
            return add_metrics(self, line)
        with (self.path / 'metrics.jsonl').open('a') as file:
            file.write('{"step": ')
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patch:
        patch.setattr(RunFolder, 'add_metrics', fail)
        message = f'{tmp_path}: cannot be written .Input/output error.; what is saved stays, and is continued'
        with pytest.raises(DataError, match=message):
            training.train(CONFIG, tmp_path)
    assert (tmp_path / 'metrics.jsonl').read_text().endswith('{"step": ')
    training.train(CONFIG, tmp_path)
    assert errors(tmp_path) == errors(whole_run)


@pytest.mark.skipif(os.geteuid() == 0, reason='root may write everywhere')
def test_a_folder_that_became_read_only(whole_run: Path, tmp_path: Path) -> None:
    (tmp_path / 'run').mkdir(mode=0o500)
    with pytest.raises(DataError, match='cannot be written .Permission denied.'):
        training.train(CONFIG, tmp_path / 'run')
