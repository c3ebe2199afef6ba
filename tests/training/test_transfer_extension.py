"""A longer run that begins with a shorter one's checkpoint is the longer run, and the shorter one stays."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jax_resnet import training
from jax_resnet.errors import ConfigError
from jax_resnet.runs.run_folder import RunFolder
from tests.conftest import small_config

CLOCKS = ('seconds', 'images_per_second')


def metrics(folder: Path) -> list[dict[str, Any]]:
    return [{k: v for k, v in line.items() if k not in CLOCKS} for line in RunFolder(folder).metrics()]


def content(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in sorted(folder.rglob('*')) if path.is_file()}


@pytest.fixture(scope='module')
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of 7 steps: evaluated at 5 and 7, saved at 4 and 7."""
    folder = tmp_path_factory.mktemp('short') / 'run'
    training.train(small_config(train_for='7 steps', **{'schedule.drop_at': ('6 steps',)}), folder)
    return folder


def test_it_is_the_longer_run_bit_for_bit(short: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """From step 4: the evaluation at step 7 is the shorter run's alone."""
    longer = small_config(train_for='12 steps', **{'schedule.drop_at': ('6 steps', '10 steps')})
    training.train(longer, tmp_path / 'whole')
    before = content(short)
    training.train(longer, tmp_path / 'extended', extend_from=short)
    line = f'begun with step 4 of {short}: as a run from the start, bit for bit'
    assert line in capsys.readouterr().out
    starts = json.loads((tmp_path / 'extended' / 'environment.json').read_text())
    assert [start['step'] for start in starts] == [0, 4] and starts[-1]['extension'] == line
    assert content(short) == before
    assert metrics(tmp_path / 'extended') == metrics(tmp_path / 'whole')
    whole, extended = (np.load(tmp_path / name / 'predictions.npz')['logits'] for name in ('whole', 'extended'))
    np.testing.assert_array_equal(whole, extended)


def test_another_schedule_is_told(short: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """Which drops before the checkpoint that is taken."""
    training.train(small_config(**{'schedule.drop_at': ('3 steps',)}), tmp_path / 'run', extend_from=short)
    assert (
        f'begun with step 4 of {short}: not as a run from the start, as the learning rate of step 4 was 0.1 there and '
        'is 0.01 here'
    ) in capsys.readouterr().out


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'seed': 1}, 'config.seed is 0 there, 1 here; these must be the same'),
        ({'batch_size': 64}, 'config.batch_size is 32 there, 64 here'),
        ({'train_for': '4 steps', 'schedule.drop_at': ()}, 'has no checkpoint that the longer run, of 4 steps, could'),
    ],
)
def test_what_cannot_be_extended_is_told(short: Path, tmp_path: Path, changes: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        training.train(small_config(**changes), tmp_path / 'run', extend_from=short)
