"""`inspect responses` with runs, weights, and the initial weights of configs."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from jax_resnet.runs import weights
from tests.conftest import Ended

ROOT = Path(__file__).parents[2]
DIGITS = str(ROOT / 'configs' / 'resnet20_digits.py')
WEIGHTS = str(ROOT / 'results' / 'weights' / 'resnet20_digits.safetensors')


@pytest.fixture
def responses(command: Callable[..., Ended]) -> Callable[..., Ended]:
    return lambda *words: command('inspect', 'responses', *words)


def test_numbers_and_charts_lie_in_the_folder_of_the_run_or_where_out_says(
    finished_run: Path, tmp_path: Path, responses: Callable[..., Ended]
) -> None:
    run, out, bare = shutil.copytree(finished_run, tmp_path / 'run'), tmp_path / 'inside', tmp_path / 'bare.safetensors'
    weights.write(bare, weights.read(WEIGHTS).arrays)  # without a card
    ended = responses(run, DIGITS, WEIGHTS, bare, f'--config={DIGITS}', '--examples=64')
    assert ended.code == 0 and len(ended.out.splitlines()) == 5
    trained, first, published, by_config = json.loads((run / 'responses.json').read_text())
    assert trained['network'] == str(run) and len(trained['layers']) == 3 and len(first['layers']) == 19
    assert first['std'] == pytest.approx([1] * 19, rel=0.02)  # BatchNorm's initial scale
    assert published['layers'] == first['layers'] and published['std'] != first['std']
    assert by_config['std'] == pytest.approx(published['std'])
    assert all(norm > 0 for norm in trained['gradient_norm'])
    svg = (run / 'responses.svg').read_text()
    assert 'sorted by size' in svg and 'weights' in svg and str(run) not in svg
    assert (run / 'responses.png').read_bytes().startswith(b'\x89PNG')
    assert responses(run, '--initial', '--examples=32', f'--out={out}').code == 0
    (initial,) = json.loads(out.with_suffix('.json').read_text())
    assert initial['std'] == pytest.approx([1] * 3, rel=0.02) and initial['std'] != trained['std']


def test_initial_weights_are_those_of_init_from(tmp_path: Path, responses: Callable[..., Ended]) -> None:
    config, out = tmp_path / 'tuned.py', tmp_path / 'inside'
    text = 'from configs import resnet20_digits\ndef get_config():\n  config = resnet20_digits.get_config()\n'
    config.write_text(f'{text}  config.init_from = {WEIGHTS!r}\n  return config')
    assert responses(config, WEIGHTS, '--examples=128', f'--out={out}').code == 0
    begun, published = json.loads(out.with_suffix('.json').read_text())
    assert begun['std'] == pytest.approx(published['std'])


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['nowhere', '--out=x'], 'nowhere.py: no such file'),
        ([DIGITS, '--examples=3', '--out=x'], '--examples=3: must be from 64, the batch size of'),
        (
            [WEIGHTS, f'--config={DIGITS}', '--out=x'],
            'digits.safetensors: must be a file of weights without a card, for',
        ),
        ([DIGITS], '--out: must be given, such as --out=responses, as '),
    ],
)
def test_errors_are_one_line(arguments: list[str], message: str, responses: Callable[..., Ended]) -> None:
    code, _, error = responses(*arguments)
    assert code == 2 and message in error and len(error.splitlines()) == 1
