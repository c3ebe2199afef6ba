"""A full or failing disk gives one line. The last checkpoint stays, and the run continues when there is space again."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from jax_resnet import training
from jax_resnet.errors import DataError
from jax_resnet.training.checkpoint import Checkpoints
from tests.conftest import metrics, small_config
from tests.slow.processes import ROOT, SMALL

CONFIG = small_config(evaluate_every='4 steps')


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 0.56 MB, with space for one checkpoint."""
    disk = tmp_path / 'disk'
    disk.mkdir()
    if subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=560k', 'tmpfs', disk], capture_output=True).returncode:
        pytest.skip('mounting a small file system takes privileges')
    yield disk
    subprocess.run(['umount', '--lazy', disk], check=True)


def test_a_full_disk(small_disk: Path, tmp_path: Path) -> None:
    folder = small_disk / 'run'
    with pytest.raises(DataError, match='checkpoints: the disk is full, .* MB are free and a checkpoint') as error:
        training.train(CONFIG, folder)
    assert '\n' not in str(error.value)
    assert Checkpoints(folder / 'checkpoints', read_only=True).steps() == [4]
    assert training.evaluate(folder).count == 100
    subprocess.run(['mount', '-o', 'remount,size=9m', small_disk], check=True)
    for each in (folder, tmp_path / 'whole'):
        training.train(CONFIG, each)
    assert metrics(folder) == metrics(tmp_path / 'whole')


def test_a_folder_that_becomes_immutable_gives_one_line(tmp_path: Path) -> None:
    folder = tmp_path / 'checkpoints'
    command = [sys.executable, 'main.py', *SMALL, '--config.train_for=9999 steps', f'--workdir={tmp_path}']
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert any(line.startswith('step 8 ') for line in process.stdout)
        if subprocess.run(['chattr', '+i', folder], capture_output=True).returncode:
            process.kill()
            pytest.skip('chattr takes privileges and a file system that knows it')
        try:
            _, errors = process.communicate(timeout=60)
        finally:
            process.kill()
            subprocess.run(['chattr', '-i', folder], check=True)
    assert process.returncode == 2
    assert errors.startswith('error: ') and errors.count('\n') == 1 and 'not permitted' in errors
