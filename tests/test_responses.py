"""`python -m jax_resnet.responses` with runs, weights, and the initial weights of configs."""

import json
import shutil
import sys
from pathlib import Path

import pytest

from jax_resnet import responses
from jax_resnet.config.fields import Config
from jax_resnet.errors import DataError
from jax_resnet.training import train
from tests.conftest import small_config

ROOT = Path(__file__).parents[1]
DIGITS = str(ROOT / 'configs' / 'resnet20_digits.py')
WEIGHTS = str(ROOT / 'results' / 'weights' / 'resnet20_digits.safetensors')


@pytest.fixture(scope='module')
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('run')
    train(small_config(train_for='3 steps'), folder)
    return folder


def call(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, 'argv', ['responses', *map(str, arguments)])
    return responses.main()


def test_weights_without_a_card_need_a_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip('altair', reason="needs the extra 'report'")
    bare, out = tmp_path / 'bare.safetensors', tmp_path / 'inside'
    shutil.copy(WEIGHTS, bare)
    assert call(monkeypatch, bare, WEIGHTS, f'--config={DIGITS}', '--examples=128', f'--out={out}') == 0
    by_config, by_card = json.loads(out.with_suffix('.json').read_text())
    assert by_config['std'] == pytest.approx(by_card['std']) and by_config['layers'] == by_card['layers']
    assert call(monkeypatch, bare, '--examples=128', f'--out={out}') == 2


def test_data_and_pictures(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip('altair', reason="needs the extra 'report'")
    out = tmp_path / 'inside'
    assert call(monkeypatch, run, DIGITS, WEIGHTS, '--examples=64', f'--out={out}') == 0
    trained, first, published = json.loads(out.with_suffix('.json').read_text())
    assert trained['network'] == str(run) and len(trained['layers']) == 3 and len(first['layers']) == 19
    assert first['std'] == pytest.approx([1] * 19, rel=0.02)  # BatchNorm's initial scale
    assert published['layers'] == first['layers'] and published['std'] != first['std']
    assert all(norm > 0 for norm in trained['gradient_norm'])
    svg = out.with_suffix('.svg').read_text()
    assert 'sorted by size' in svg and 'weights' in svg and str(run) not in svg
    assert out.with_suffix('.png').read_bytes().startswith(b'\x89PNG')
    assert call(monkeypatch, run, '--initial', '--examples=32', f'--out={out}') == 0
    (initial,) = json.loads(out.with_suffix('.json').read_text())
    assert initial['std'] == pytest.approx([1] * 3, rel=0.02) and initial['std'] != trained['std']


def test_the_config_of_weights_has_the_given_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    pytest.importorskip('altair', reason="needs the extra 'report'")

    def load(path: str, config: Config) -> None:
        raise DataError(f'read from {config.dataset.data_dir}')

    monkeypatch.setattr(responses, 'load', load)
    bare = shutil.copy(WEIGHTS, tmp_path / 'bare.safetensors')
    assert call(monkeypatch, bare, f'--config={DIGITS}', '--data_dir=/new', '--examples=128') == 2
    assert 'read from /new' in capsys.readouterr().err


def test_initial_weights_are_those_of_init_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    pytest.importorskip('altair', reason="needs the extra 'report'")
    config, out = tmp_path / 'tuned.py', tmp_path / 'inside'
    text = 'from configs import resnet20_digits\ndef get_config():\n  config = resnet20_digits.get_config()\n'
    config.write_text(f'{text}  config.init_from = {WEIGHTS!r}\n  return config')
    assert call(monkeypatch, config, WEIGHTS, '--examples=128', f'--out={out}') == 0
    begun, published = json.loads(out.with_suffix('.json').read_text())
    assert begun['std'] == published['std']
    config.write_text(f'{text}  config.init_from = "missing.npz"\n  return config')
    capsys.readouterr()
    assert call(monkeypatch, config, '--examples=128') == 2
    error = capsys.readouterr().err
    assert "config.init_from='missing.npz': no such file" in error and len(error.splitlines()) == 1


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['nowhere'], 'nowhere.py: no such file'),
        ([DIGITS, '--examples=3'], '--examples=3: must be from 64, the batch size of'),
        ([WEIGHTS, f'--config={DIGITS}'], 'digits.safetensors: must be a file of weights without a card, for --config'),
        ([DIGITS, f'--config={DIGITS}'], 'digits.py: must be a file of weights without a card, for --config'),
    ],
)
def test_errors_are_one_line(
    arguments: list[str], message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    assert call(monkeypatch, *arguments) == 2
    assert message in (error := capsys.readouterr().err) and len(error.splitlines()) == 1
