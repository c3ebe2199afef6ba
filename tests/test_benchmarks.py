"""The benchmarks run, with tiny sizes; what they count is right. Nothing is asserted of how long anything takes."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

FOLDER = Path(__file__).parents[1] / 'benchmarks'


def results(script: str, *arguments: str) -> dict:
    """The line of JSON with which a benchmark ends."""
    command = [sys.executable, str(FOLDER / script), *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture
def train_step(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(FOLDER))
    spec = importlib.util.spec_from_file_location('train_step', FOLDER / 'train_step.py')
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_input() -> None:
    found = results('input.py', '--batch_size=8', '--steps=1', '--rounds=1')
    assert len(found['seconds']) == 3 and found['device'].startswith('cpu')


@pytest.mark.slow
def test_growth() -> None:
    found = results('growth.py', '--depths', '--batches', '--devices=2', '--batch_size=8', '--rounds=1')['results']
    assert [row['devices'] for row in found['devices']] == [2] and 'batch' not in found
    assert found['devices'][0]['peak_bytes'] > 0


@pytest.mark.slow
def test_startup() -> None:
    found = results('startup.py', '--one', 'ResNet-20', '32')
    parts = [found[part] for part in ('building', 'compiling', 'first step')]
    assert sum(parts) == pytest.approx(found['from building to the first update'])


def test_more_steps_than_the_streams_window_holds(train_step: ModuleType) -> None:
    """Of 512 random images, batches of 256: two epochs are four."""
    run = train_step.ours('ResNet-20', 256, 5)
    assert run(steps=1) > 0 and run() > 0


def test_train_step_beside_pytorch() -> None:
    pytest.importorskip('torch', reason='needs PyTorch')
    found = results('train_step.py', '--networks', 'ResNet-20', '--batch_size=8', '--steps=1', '--rounds=1')
    assert found['results'][0]['seconds'].keys() == {'jax_resnet', 'torch'}


def test_what_a_step_must_compute_and_move(train_step: ModuleType) -> None:
    assert train_step.multiply_adds(train_step.experiment('ResNet-20', 128)) == 3 * 128 * 40_551_040
    stage = 32 * 32 * 16
    outputs = 7 * stage + 6 * stage // 2 + 6 * stage // 4  # of the 19 convolutions
    assert train_step.least_bytes('ResNet-20', 128, 'float32') == 6 * 128 * outputs * 4
