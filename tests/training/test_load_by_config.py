"""Weights without a card. A config gives their network and preprocessing."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import jax_resnet
from jax_resnet import models, training
from jax_resnet.config import loading
from jax_resnet.config.arguments import separate
from jax_resnet.config.fields import Config
from jax_resnet.errors import DataError
from jax_resnet.runs import weights
from jax_resnet.training.load import described
from tests.conftest import Ended

ROOT = Path(__file__).parents[2]
PUBLISHED = ROOT / 'results' / 'weights' / 'resnet20_digits.safetensors'
CONFIG = f'--config={ROOT}/configs/resnet20_digits.py'


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A copy of the published weights for the digits, without a card."""
    weights.write(tmp_path / 'bare.safetensors', weights.read(PUBLISHED).arrays)
    return tmp_path / 'bare.safetensors'


def config(*changes: str) -> Config:
    _, file, changed = separate([CONFIG, *changes])
    return loading.load(file, changed)[0]


def test_a_config_replaces_the_card(bare: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level('INFO', 'jax_resnet')
    expected, found = jax_resnet.load(PUBLISHED), jax_resnet.load(bare, config())
    assert found.model == expected.model and found.class_names == expected.class_names
    np.testing.assert_allclose(found.preprocess.normalize.mean, expected.preprocess.normalize.mean, atol=1e-6)
    line = (
        'bare.safetensors does not name its network; shortcut A, order original, units basic are taken from the config'
    )
    assert line in caplog.text
    assert training.evaluate(bare, config=config()).correct == 355


def test_every_command_takes_a_config(bare: Path, tmp_path: Path, command: Callable[..., Ended]) -> None:
    Image.new('L', (16, 16)).save(tmp_path / 'image.png')
    theirs = tmp_path / 'theirs.safetensors'
    weights.write(theirs, models.to_pytorch(jax_resnet.load(PUBLISHED).variables, 'cifar'))
    for path in (bare, theirs):
        assert 'of 36 correct' in command('evaluate', path, CONFIG, '--split=test[:36]').out
    assert command('predict', theirs, tmp_path / 'image.png', CONFIG).code == 0
    assert command('export', theirs, f'--out={tmp_path}/net.jaxexport', CONFIG).code == 0
    description = json.loads((tmp_path / 'net.json').read_text())
    assert description['class_names'] == [*'0123456789'] and description['image_shape'] == [16, 16, 1]
    assert 'already says what --config would' in command('evaluate', PUBLISHED, CONFIG).err


def test_missing_data_for_the_mean_image(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(**_: object) -> None:
        raise DataError('digits: is not there')

    monkeypatch.setattr('jax_resnet.training.setup.open_source', missing)
    with pytest.raises(
        DataError, match='bare.safetensors: .*the mean that pixel_mean subtracts.*: digits: is not there'
    ):
        described(weights.read(bare), config())
