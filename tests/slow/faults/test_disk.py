"""A full or failing disk gives one line. The last checkpoint stays, and the run continues when there is space again."""

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
CONFIG = small_config(evaluate_every='4 steps')


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


def test_a_full_disk(small_disk: Path, tmp_path: Path) -> None:
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
    for each in (folder, tmp_path / 'whole'):
        training.train(CONFIG, each)
    assert errors(folder) == errors(tmp_path / 'whole')


PROGRAM = """
import sys
from pathlib import Path
from jax_resnet import training
from jax_resnet.commands import command_line
from tests.conftest import small_config
config = small_config(train_for='9999 steps', log_every='1 step')
sys.exit(command_line.run(lambda: training.train(config, sys.argv[1])))
"""


def test_a_folder_that_becomes_immutable_gives_one_line(tmp_path: Path) -> None:
    folder = tmp_path / 'checkpoints'
    command = [sys.executable, '-c', PROGRAM, str(tmp_path)]
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
