"""The published weights of akamaster's ResNets, evaluated on all of CIFAR-10's test images."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from jax_resnet import training
from jax_resnet.config import loading
from jax_resnet.runs import weights
from tests.conftest import Ended

CHANGES = {
    'model.shortcut': 'A_centred',
    'dataset.normalization': 'channel',
    'dataset.channel_mean': (0.485, 0.456, 0.406),
    'dataset.channel_std': (0.229, 0.224, 0.225),
}


def published(depth: int) -> Path:
    """The file of akamaster's ResNet."""
    path = Path(os.environ.get('JAX_RESNET_TEST_WEIGHTS', ''), 'akamaster', f'resnet{depth}.safetensors')
    if not path.is_file():
        pytest.skip(f'JAX_RESNET_TEST_WEIGHTS names no folder with akamaster/{path.name}')
    return path


@pytest.mark.soak
@pytest.mark.parametrize(('depth', 'errors'), [(32, 737), (56, 661)])
def test_errors_are_those_of_pytorch(depth: int, errors: int, data_dir: str) -> None:
    config, _ = loading.load(f'configs/resnet{depth}_cifar10.py', CHANGES)
    scores = training.evaluate(published(depth), config=config)
    assert (scores.count - scores.correct, scores.count) == (errors, 10_000)


def test_weights_published_here_have_the_error_of_their_card(data_dir: str) -> None:
    """And the logits of the run, which are stored as float16."""
    scores = training.evaluate('results/weights/resnet20_cifar10.safetensors')
    stored = np.load('results/resnet20_cifar10/seed0/logits.npz')
    np.testing.assert_array_equal(scores.labels, stored['labels'])
    np.testing.assert_allclose(scores.logits, stored['logits'], rtol=5e-3, atol=5e-3)
    card = weights.read('results/weights/resnet20_cifar10.safetensors').card
    assert scores.error == pytest.approx(card['test_error'], abs=0.02)


def test_published_weights_with_a_card(tmp_path: Path, data_dir: str, command: Callable[..., Ended]) -> None:
    """Akamaster's ResNet-20 has 827 errors on CIFAR-10's test images in float32."""
    source = published(20)
    changes = [f'--config.{name}={",".join(map(str, v)) if isinstance(v, tuple) else v}' for name, v in CHANGES.items()]
    config = ('--config=configs/resnet20_cifar10.py', *changes)
    ours = tmp_path / 'resnet20.safetensors'
    code, out, err = command('convert', source, ours, '--card', *config)
    assert code == 0 and 'resnet20.safetensors: 97 arrays' in out, err
    some = [source, '--split=test[:1000]', *config]
    for arguments, correct in (([ours], '9,173 of 10,000'), (some, '915 of 1,000')):
        assert f'({correct} correct)' in command('evaluate', *arguments).out
    assert command('convert', ours, tmp_path / 'back.safetensors', '--to=cifar')[0] == 0
    theirs = {name.removeprefix('module.'): tensor for name, tensor in weights.read(source).arrays.items()}
    back = weights.read(tmp_path / 'back.safetensors').arrays
    assert back.keys() == {name for name in theirs if not name.endswith('num_batches_tracked')}
    for name, tensor in back.items():
        np.testing.assert_array_equal(tensor, theirs[name])
    assert 'already says what --config would' in command('evaluate', ours, *config).err
