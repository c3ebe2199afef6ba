"""docs/extend.md: its files are written to a copy of the checkout, and its commands run there."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.slow.processes import ROOT, printed

PAGE = (ROOT / 'docs' / 'extend.md').read_text()
SHORT = ['--config.train_for=2 steps', '--config.schedule.drop_at=1 steps', '--config.batch_norm.group_size=0']


@pytest.fixture(scope='module')
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout with the files of the page."""
    folder = tmp_path_factory.mktemp('checkout')
    ignored = shutil.ignore_patterns('__pycache__')
    for name in ('jax_resnet', 'configs'):
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    shutil.copy(ROOT / 'main.py', folder)
    for name, content in re.findall(r'```python title="(.*?)"\n(.*?)```', PAGE, re.DOTALL):
        (folder / name).write_text(content)
    (patch,) = re.findall(r'```diff title=".*?"\n(.*?)```', PAGE, re.DOTALL)
    subprocess.run(['git', 'apply', '-'], cwd=folder, input=patch, text=True, check=True)
    return folder


LINES = [line for block in re.findall(r'```\n(python .*?)```', PAGE, re.DOTALL) for line in block.splitlines()]


def test_the_commands_run_in_order(checkout: Path) -> None:
    assert len(LINES) == 11
    for line in LINES:
        words = shlex.split(line)[1:]
        if 'main.py' in line:
            words += SHORT if '--workdir' in line else [*SHORT, '--workdir=runs/config']
        if 'jax_resnet study' in line:
            words += ['--seeds=0', *(option.replace('--config.', '--set=') for option in SHORT)]
        if 'jax_resnet report' in line:
            (study,) = checkout.glob('runs/studies/**/study.json')
            words = [str(study.parent) if word.startswith('runs/studies/') else word for word in words]
        printed(*words, cwd=checkout)
    program = "import jax_resnet, numpy as np; jax_resnet.load('runs/stem').logits(np.zeros((1, 16, 16, 1), np.uint8))"
    printed('-c', program, cwd=checkout)
    printed('-m', 'jax_resnet', 'convert', 'runs/squeeze', 'squeeze.safetensors', cwd=checkout)
    tables = {path.parent.name: path.read_text() for path in checkout.glob('runs/*/parameters.txt')}
    assert 'shortcut/squeeze' in tables['squeeze']
    assert all('(5, 5, ' in tables[run] for run in ('stem', 'kernel')) and '(5, 5, ' not in tables['lion']
