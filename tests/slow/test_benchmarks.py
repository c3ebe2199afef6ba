"""The benchmarks run with tiny sizes, and their counts are correct. No test asserts how long anything takes."""

import itertools
import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.slow.processes import ROOT, printed

FOLDER = ROOT / 'benchmarks'

sys.path.insert(0, str(FOLDER))
import convolutions  # noqa: E402
import train_step  # noqa: E402


def results(script: str, *arguments: str) -> dict:
    """Returns the content of the last line of a benchmark, which is JSON."""
    return json.loads(printed(FOLDER / script, *arguments).splitlines()[-1])


@pytest.mark.soak
def test_growth_and_startup() -> None:
    found = results('growth.py', '--depths', '--batches', '--devices=2', '--batch_size=8', '--rounds=1')['results']
    assert [row['devices'] for row in found['devices']] == [2] and 'batch' not in found
    found = results('startup.py', '--one', 'ResNet-20', '32')
    parts = [found[part] for part in ('building', 'compiling', 'first step')]
    assert sum(parts) == pytest.approx(found['from building to the first update'])


def test_train_step_beside_pytorch() -> None:
    pytest.importorskip('torch', reason='needs PyTorch')
    found = results('train_step.py', '--networks', 'ResNet-20', '--batch_size=8', '--steps=1', '--most_rounds=1')
    assert found['results'][0]['seconds'].keys() == {'jax_resnet', 'torch'}


@pytest.fixture
def two_classes(tmp_path: Path) -> list[str]:
    """Config fields of a ResNet-18 on a folder of ten small pictures for training and six for testing."""
    for split, count in (('train', 5), ('val', 3)):
        for k, name in enumerate('ab'):
            (tmp_path / split / name).mkdir(parents=True)
            for i in range(count):
                pixels = np.random.default_rng(i).integers(90 * k, 160, (30 + i, 40, 3), np.uint8)
                Image.fromarray(pixels).save(tmp_path / split / name / f'{i}.png')
    fields = {
        'dataset.name': 'folder', 'dataset.folder': str(tmp_path), 'dataset.test': 'validation', 'dataset.crop': 32,
        'pictures.test_shorter_side': 36, 'model.num_classes': 2, 'batch_size': 4, 'batch_norm.group_size': 0,
    }  # fmt: skip
    return [f'{name}={json.dumps(value)}' for name, value in fields.items()]


def test_a_recipe_in_pytorch(two_classes: list[str]) -> None:
    pytest.importorskip('torch', reason='needs PyTorch')
    epochs = results('imagenette_peer.py', '--epochs=2', '--seed=1', '--set', *two_classes)['epochs']
    assert [one['epoch'] for one in epochs] == [1.2, 2.0]  # 10 pictures in batches of 4: 3 steps end the first epoch
    assert all(one['train_loss'] > 0 and 0 <= one['test_error'] <= 100 for one in epochs)


def test_multiply_adds_and_bytes_of_a_step() -> None:
    assert train_step.multiply_adds(train_step.model('ResNet-20'), 128, (32, 32, 3)) == 3 * 128 * 40_551_040
    stage = 32 * 32 * 16
    outputs = 7 * stage + 6 * stage // 2 + 6 * stage // 4  # of the 19 convolutions
    assert train_step.least_bytes('ResNet-20', 128, 32, 'float32') == 6 * 128 * outputs * 4


def test_the_convolutions_of_a_network() -> None:
    found = convolutions.cases('ResNet-20', 128, 32)
    assert sum(found.values()) == 19 and len(found) == 6
    assert sum(count * case.multiply_adds() for case, count in found.items()) == 128 * (40_551_040 - 64 * 10)
    assert str(max(found, key=found.get)) == '32x32, 16 to 16, 3x3'


@pytest.mark.parametrize('operation', [0, 2])
def test_a_convolution_is_timed_in_every_form(operation: int) -> None:
    case = convolutions.Case((8, 6, 6, 3), (1, 1, 3, 4), (2, 2), ((0, 0), (0, 0)))
    found = convolutions.ours()(convolutions.OPERATIONS[operation], case, 1)
    assert found.keys() >= {'training', 'training, in a loop'} and all(seconds > 0 for seconds in found.values())
    assert any(name.startswith('16 matrix products') for name in found) == (operation == 2)


def test_a_peer_that_fails_is_an_error_and_not_a_hang() -> None:
    with (
        pytest.raises(RuntimeError, match='the process of sqrt has failed'),
        train_step.in_a_process(math.sqrt, 'no number') as run,
    ):
        run()


def test_spread() -> None:
    """With 6 numbers, the interval is from the smallest to the largest; with 20, from the sixth to the fifteenth."""
    assert train_step.spread([1.0] * 5) == float('inf')
    assert train_step.spread([6, 1, 2, 3, 4, 5]) == 2.5 / 3.5
    assert train_step.spread(range(1, 21)) == 4.5 / 10.5


def test_rounds_are_repeated_until_the_ratio_is_precise() -> None:
    runs = {'jax_resnet': lambda: 1.0, 'torch': lambda: 2.0}
    *_, (_, ratios) = train_step.measure(runs, 30, pause=0)
    assert ratios['torch'] == {'ratio': 0.5, 'spread': 0.0, 'rounds': 6}
    growing = itertools.count(1)
    *_, (_, ratios) = train_step.measure({**runs, 'jax_resnet': lambda: next(growing)}, 8, pause=0)
    assert ratios['torch']['rounds'] == 8 and ratios['torch']['spread'] > 0.05
    *_, (_, ratios) = train_step.measure(runs, 3, pause=0)
    assert ratios['torch'] == {'ratio': 0.5, 'spread': None, 'rounds': 3}
