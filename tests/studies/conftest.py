"""A folder like a checkout, to run studies in, and a small study."""

import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STUDY = '''\
"""Which rate is better?

Published: nothing.
"""

from configs.studies import base

SHORT = {
    'model.depth': 8, 'batch_size': 32, 'train_for': '12 steps', 'evaluate_every': '5 steps',
    'checkpoint_every': '4 steps', 'dataset.train': 'train[:200]', 'dataset.test': 'test[:100]',
    'batch_norm.group_size': 16, 'schedule.drop_at': ('6 steps',), 'parallel.devices': 1,
}


def get_study(rates='0.1,0.01'):
    rows = [
        base.row(f'rate {rate}', 'resnet20_digits.py', SHORT | {'schedule.learning_rate': float(rate)}, published=1.5)
        for rate in rates.split(',')
    ]
    return base.study(rows, 'nobody')
'''


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder, made the working directory; it holds configs, and a small study of digits, `small.py`."""
    (tmp_path / 'configs').symlink_to(ROOT / 'configs')
    (tmp_path / 'small.py').write_text(textwrap.dedent(STUDY))
    monkeypatch.chdir(tmp_path)
    return tmp_path
