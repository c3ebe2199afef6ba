"""The benchmarks run, with tiny sizes; what they count is right. Nothing is asserted of how long anything takes."""

import importlib.util
import itertools
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from PIL import Image

FOLDER = Path(__file__).parents[1] / 'benchmarks'


def results(script: str, *arguments: str) -> dict:
    """The line of JSON with which a benchmark ends."""
    command = [sys.executable, str(FOLDER / script), *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def load(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(FOLDER))
    spec = importlib.util.spec_from_file_location(name, FOLDER / f'{name}.py')
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def train_step(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    return load('train_step', monkeypatch)


@pytest.fixture
def convolutions(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    return load('convolutions', monkeypatch)


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
    found = results('train_step.py', '--networks', 'ResNet-20', '--batch_size=8', '--steps=1', '--most_rounds=1')
    assert found['results'][0]['seconds'].keys() == {'jax_resnet', 'torch'}


def test_a_recipe_in_pytorch(tmp_path: Path) -> None:
    pytest.importorskip('torch', reason='needs PyTorch')
    for split, count in (('train', 5), ('val', 3)):
        for k, name in enumerate('ab'):
            (tmp_path / split / name).mkdir(parents=True)
            for i in range(count):
                Image.new('RGB', (40, 30 + i), (90 * k, 60, 20 * i)).save(tmp_path / split / name / f'{i}.png')
    fields = {
        'dataset.name': 'folder', 'dataset.folder': str(tmp_path), 'dataset.test': 'validation', 'dataset.crop': 32,
        'pictures.test_shorter_side': 32, 'model.num_classes': 2, 'batch_size': 4,
    }  # fmt: skip
    words = [f'{name}={json.dumps(value)}' for name, value in fields.items()]
    epochs = results('imagenette_peer.py', '--epochs=2', '--seed=1', '--set', *words)['epochs']
    assert [one['epoch'] for one in epochs] == [1.2, 2.0]  # 10 pictures by 4: an epoch ends in the third step
    assert all(one['train_loss'] > 0 and 0 <= one['test_error'] <= 100 for one in epochs)


def test_what_a_step_must_compute_and_move(train_step: ModuleType) -> None:
    assert train_step.multiply_adds(train_step.experiment('ResNet-20', 128)) == 3 * 128 * 40_551_040
    stage = 32 * 32 * 16
    outputs = 7 * stage + 6 * stage // 2 + 6 * stage // 4  # of the 19 convolutions
    assert train_step.least_bytes('ResNet-20', 128, 32, 'float32') == 6 * 128 * outputs * 4


def test_the_convolutions_of_a_network(convolutions: ModuleType) -> None:
    found = convolutions.cases('ResNet-20', 128, 32)
    assert sum(found.values()) == 19 and len(found) == 6
    assert sum(count * case.multiply_adds() for case, count in found.items()) == 128 * (40_551_040 - 64 * 10)
    assert str(max(found, key=found.get)) == '32x32, 16 to 16, 3x3'


@pytest.mark.parametrize('what', [0, 2])
def test_a_convolution_is_timed_in_every_form(convolutions: ModuleType, what: int) -> None:
    case = convolutions.Case((8, 6, 6, 3), (1, 1, 3, 4), (2, 2), ((0, 0), (0, 0)))
    found = convolutions.ours()(convolutions.WHAT[what], case, 1)
    assert found.keys() >= {'training', 'training, in a loop'} and all(seconds > 0 for seconds in found.values())
    assert any(name.startswith('16 matrix products') for name in found) == (what == 2)


def test_spread(train_step: ModuleType) -> None:
    """Of 6 numbers, the smallest and the largest are the interval; of 20, the sixth and the fifteenth."""
    assert train_step.spread([1.0] * 5) == float('inf')
    assert train_step.spread([6, 1, 2, 3, 4, 5]) == 2.5 / 3.5
    assert train_step.spread(range(1, 21)) == 4.5 / 10.5


def test_rounds_go_on_until_the_ratio_is_known(train_step: ModuleType) -> None:
    runs = {'jax_resnet': lambda: 1.0, 'torch': lambda: 2.0}
    _, ratios = train_step.measure(runs, 30, pause=0)
    assert ratios['torch'] == {'ratio': 0.5, 'spread': 0.0, 'rounds': 6}
    growing = itertools.count(1)
    _, ratios = train_step.measure({**runs, 'jax_resnet': lambda: next(growing)}, 8, pause=0)
    assert ratios['torch']['rounds'] == 8 and ratios['torch']['spread'] > 0.05
    _, ratios = train_step.measure(runs, 3, pause=0)
    assert ratios['torch'] == {'ratio': 0.5, 'spread': None, 'rounds': 3}


def test_what_else_ran(train_step: ModuleType) -> None:
    with train_step.Load() as load:
        pass
    found = load.found()
    assert not found or found.keys() == {'load_before', 'others', 'host'}
    assert 'cores' in str(load) if found else str(load)
