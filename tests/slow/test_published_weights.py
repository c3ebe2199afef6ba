"""The published weights of akamaster's ResNet-20, converted, and evaluated on all test images."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest

from jax_resnet import evaluate
from jax_resnet.runs import weights
from tests.test_convert import main


def test_published_weights_with_a_card(
    tmp_path: Path, data_dir: str, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Akamaster's ResNet-20 has 827 errors on CIFAR-10's test images in float32."""
    source = Path(os.environ.get('JAX_RESNET_TEST_WEIGHTS', ''), 'akamaster', 'resnet20.safetensors')
    if not source.is_file():
        pytest.skip('JAX_RESNET_TEST_WEIGHTS names no folder with akamaster/resnet20.safetensors')
    config = (
        '--config=configs/resnet20_cifar10.py',
        '--config.model.shortcut=A_centred',
        '--config.dataset.normalization=channel',
        '--config.dataset.channel_mean=0.485,0.456,0.406',
        '--config.dataset.channel_std=0.229,0.224,0.225',
    )
    ours = tmp_path / 'resnet20.safetensors'
    code, out, err = main(capsys, monkeypatch, source, ours, '--card', *config)
    assert code == 0 and 'resnet20.safetensors: 97 arrays' in out, err
    some = [source, '--split=test[:1000]', *config]
    for arguments, correct in (([ours], '9,173 of 10,000'), (some, '920 of 1,000')):
        monkeypatch.setattr(sys, 'argv', ['evaluate', *map(str, arguments)])
        assert evaluate.main() == 0
        assert f'({correct} correct)' in capsys.readouterr().out
    assert main(capsys, monkeypatch, ours, tmp_path / 'back.safetensors', '--to=cifar')[0] == 0
    theirs = {name.removeprefix('module.'): tensor for name, tensor in weights.read(source).arrays.items()}
    back = weights.read(tmp_path / 'back.safetensors').arrays
    assert back.keys() == {name for name in theirs if not name.endswith('num_batches_tracked')}
    for name, tensor in back.items():
        np.testing.assert_array_equal(tensor, theirs[name])
    monkeypatch.setattr(sys, 'argv', ['evaluate', str(ours), *config])
    assert evaluate.main() == 2 and 'has a card, resnet20.json, which says what' in capsys.readouterr().err
