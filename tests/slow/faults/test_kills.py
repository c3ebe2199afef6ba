"""A run that is killed many times, and continued with the same command, has the results of a run without kills.

The suite kills it three times. `make soak` sets JAX_RESNET_KILLS to 64.
"""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import assert_equal_trees, metrics, saved_state
from tests.slow.processes import ROOT, printed


def digits(folder: Path) -> list[str]:
    return ['--config=configs/resnet20_digits.py', '--config.model.depth=8', '--config.dataset.validation=train[-200:]']


def pictures(folder: Path) -> list[str]:
    """Uses 200 pictures for training and 80 for validation, of three classes, with views of 16 x 16 pixels."""
    rng = np.random.default_rng(0)
    for index in range(280):
        subfolder = folder / 'pictures' / ('train' if index < 200 else 'val') / 'abc'[index % 3]
        subfolder.mkdir(parents=True, exist_ok=True)
        image = Image.fromarray(rng.integers(0, 100 + 70 * (index % 3), (6, 8, 3), dtype=np.uint8))
        image.resize((40, 30)).save(subfolder / f'{index}.jpg')
    return [
        *('--config=configs/resnet18_folder.py', f'--config.dataset.folder={folder / "pictures"}'),
        *('--config.model.name=cifar_resnet', '--config.model.depth=8', '--config.model.num_classes=3'),
        *('--config.dataset.crop=16', '--config.pictures.test_shorter_side=18', '--config.pictures.threads=2'),
        *('--config.dataset.validation=train[-50:]', '--config.dataset.color_jitter=0.4'),
    ]


@pytest.mark.parametrize('arguments', [digits, pytest.param(pictures, marks=pytest.mark.soak)])
def test_a_killed_and_continued_run_has_the_results_of_a_run_without_kills(
    tmp_path: Path, arguments: Callable[[Path], list[str]]
) -> None:
    kills = int(os.environ.get('JAX_RESNET_KILLS', 3))
    command = [
        *(sys.executable, 'main.py', *arguments(tmp_path)),
        *('--config.batch_size=32', '--config.batch_norm.group_size=16', f'--config.train_for={60 * kills} steps'),
        *('--config.evaluate_every=20 steps', '--config.checkpoint_every=15 steps', '--config.log_every=5 steps'),
    ]
    draw, folder = random.Random(kills), tmp_path / 'killed'
    for kill in range(kills):
        name, (begin, multiple, most) = list(MOMENTS.items())[kill % len(MOMENTS)]
        number = draw.choice([signal.SIGTERM, signal.SIGINT]) if 'stop' in name else signal.SIGKILL
        start = [*command, f'--workdir={folder}']
        with subprocess.Popen(start, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            wait(process, folder, begin, multiple, draw.uniform(0, most))
            process.send_signal(number)
            _, errors = process.communicate()
        print(f'kill {kill + 1}, {name}: code {process.returncode}, {position(folder)} {errors[-200:]!r}', flush=True)
        if 'stop' in name and (name != 'stop while compiling' or process.returncode > 0):
            assert process.returncode == 128 + number, errors
            assert errors.splitlines()[-1].endswith('; the same command continues')
        else:  # the process cannot save, or has nothing to save
            unexpected = [line for line in errors.splitlines() if 'pictures are sorted by class' not in line]
            assert (process.returncode, unexpected) == (-number, [])

    for path in (folder, tmp_path / 'whole'):
        printed(*command[1:], f'--workdir={path}')
    assert_equal_trees(saved_state(folder), saved_state(tmp_path / 'whole'))
    lines = metrics(folder)
    assert lines == metrics(tmp_path / 'whole')
    assert [line['step'] for line in lines] == list(range(20, 60 * kills + 1, 20))
    killed, whole = (np.load(path / 'predictions.npz') for path in (folder, tmp_path / 'whole'))
    np.testing.assert_array_equal(killed['logits'], whole['logits'])


MOMENTS = {
    # The beginning of a line; of the lines of steps, those whose step is a multiple of this; the most seconds after it.
    'writing a checkpoint': ('*tmp*', None, 0.05),  # a file of this name is there
    'evaluating': ('step ', 20, 0.1),
    'stop while training': ('step ', 5, 0.5),  # 'stop': SIGTERM or SIGINT; else SIGKILL
    'stop while compiling': ('learning rate ', None, 1.0),
    'training': ('step ', 5, 0.5),
    'starting': (None, None, 4.0),  # the process imports, reads or restores
    'stop while evaluating': ('step ', 20, 0.1),
}


def wait(process: subprocess.Popen, folder: Path, begin: str | None, multiple: int | None, seconds: float) -> None:
    """Waits for such a line, and then as long as it says."""
    assert process.stdout is not None
    if begin == '*tmp*':
        while not any((folder / 'checkpoints').glob(begin)):
            assert process.poll() is None
    elif begin is not None:
        lines = (line for line in process.stdout if line.startswith(begin))
        assert any(multiple is None or int(line.split()[1].replace(',', '')) % multiple == 0 for line in lines)
    time.sleep(seconds)


def position(folder: Path) -> str:
    checkpoints = sorted(path.name for path in (folder / 'checkpoints').glob('*'))
    return f'checkpoints {checkpoints}, {len(metrics(folder))} lines of metrics'
