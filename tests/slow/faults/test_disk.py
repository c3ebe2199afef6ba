"""A full or failing disk gives one line. The last checkpoint stays, and the run continues when there is space again."""

import errno
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from jax_resnet import training
from jax_resnet.errors import DataError
from jax_resnet.runs.run_folder import RunFolder
from jax_resnet.training.checkpoint import Checkpoints
from tests.conftest import small_config

ROOT = Path(__file__).parents[3]
CONFIG = small_config(**{'evaluate_every': '4 steps'})


@pytest.fixture(scope='module')
def whole_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('whole') / 'run'
    training.train(CONFIG, folder)
    return folder


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 0.56 MB, with space for one checkpoint."""
    disk = tmp_path / 'disk'
    disk.mkdir()
    mounted = subprocess.run(
        ['mount', '-t', 'tmpfs', '-o', 'size=560k', 'tmpfs', disk], capture_output=True, check=False
    )
    if mounted.returncode:
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


@pytest.mark.soak
def test_a_disk_that_fails_while_metrics_are_written(
    whole_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second line is incomplete, as on a full disk."""
    add_metrics = RunFolder.add_metrics

    def fail(self: RunFolder, line: dict) -> None:
        if line['step'] == 4:
            return add_metrics(self, line)
        with (self.path / 'metrics.jsonl').open('a') as file:
            file.write('{"step": ')
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patch:
        patch.setattr(RunFolder, 'add_metrics', fail)
        message = (
            f'{tmp_path}: cannot be written .Input/output error.; the same command continues from the last saved state'
        )
        with pytest.raises(DataError, match=message):
            training.train(CONFIG, tmp_path)
    assert (tmp_path / 'metrics.jsonl').read_text().endswith('{"step": ')
    training.train(CONFIG, tmp_path)
    assert errors(tmp_path) == errors(whole_run)


PROGRAM = """
import sys
from pathlib import Path
from jax_resnet import training
from jax_resnet.commands import command_line
from tests.conftest import small_config
config = small_config(**{{'train_for': '{steps} steps', 'evaluate_every': '4 steps', 'log_every': '1 step'}})
sys.exit(command_line.run(lambda: training.train(config, sys.argv[1])))
"""


@pytest.mark.soak
def test_a_disk_without_free_inodes_gives_one_line(small_disk: Path) -> None:
    subprocess.run(['mount', '-o', 'remount,size=9m,nr_inodes=40', small_disk], check=True)
    command = [sys.executable, '-c', PROGRAM.format(steps=12), str(small_disk / 'run')]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100)
    assert done.returncode == 2, done.stderr
    assert re.fullmatch(r'error: .*: cannot be written \(.*\); .* continued\n', done.stderr)


def test_a_folder_that_becomes_immutable_gives_one_line(tmp_path: Path) -> None:
    folder = tmp_path / 'checkpoints'
    command = [sys.executable, '-c', PROGRAM.format(steps=9999), str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert any(line.startswith('step 8 ') for line in process.stdout)
        changed = subprocess.run(['chattr', '+i', folder], capture_output=True, check=False)
        if changed.returncode:
            process.kill()
            pytest.skip('chattr takes privileges and a file system that knows it')
        try:
            _, errors = process.communicate(timeout=60)
        finally:
            process.kill()
            subprocess.run(['chattr', '-i', folder], check=True)
    assert process.returncode == 2
    assert errors.startswith('error: ') and errors.count('\n') == 1 and 'not permitted' in errors


@pytest.mark.skipif(os.geteuid() == 0, reason='root may write everywhere')
def test_a_folder_without_write_permission(whole_run: Path, tmp_path: Path) -> None:
    (tmp_path / 'run').mkdir(mode=0o500)
    with pytest.raises(DataError, match='cannot be written .Permission denied.'):
        training.train(CONFIG, tmp_path / 'run')
