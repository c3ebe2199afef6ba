"""The documentation is correct: its Python blocks run unchanged, and its shell lines with shorter training."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]
PAGES = ['README.md', 'results/README.md', *(str(path.relative_to(ROOT)) for path in sorted(ROOT.glob('docs/*.md')))]

SHORT = [
    '--config.train_for=2 steps',
    '--config.model.depth=8',
    '--config.batch_size=16',
    '--config.batch_norm.group_size=0',
]
FEW = [
    '--config.dataset.train=train[:64]',
    '--config.dataset.validation=train[-16:]',
    '--config.dataset.test=test[:16]',
]

ELSEWHERE = {
    # Parts of shell lines that name what is not in a checkout, and the tests that run such lines.
    'make ': 'by hand',
    'pip ': 'by hand',
    '.venv': 'by hand',
    'DIR': 'tests/data/test_cifar.py, tests/data/pictures, tests/training/test_streamed.py',
    'imagenette': 'tests/training/test_streamed.py',
    'resnet50.': 'tests/slow/test_timm.py',
    'resnet20.safetensors': 'tests/slow/test_published_weights.py',
    'ours.safetensors': 'tests/slow/test_published_weights.py',
    'timm/': 'tests/slow/test_hub.py',
    'runs/mine': 'tests/slow/test_hub.py',
    'runs/resnet50_imagenet': 'tests/training/test_protocols.py',
    'runs/resnet20_cifar10': 'tests/commands',
    'runs/trunk': 'tests/training/test_begin_extended.py',
    'runs/branch': 'tests/inspections/test_kinds.py',
    'notes.md': 'tests/report/test_page.py',
    'large_batch_digits': 'tests/slow/test_extend.py',
    'smoothing': 'tests/slow/test_extend.py',
    'runs/squeeze': 'tests/slow/test_extend.py',
    'runs/stem': 'tests/slow/test_extend.py',
    'runs/shapes': 'tests/slow/test_extend.py',
    'runs/studies': 'tests/slow/test_extend.py',
    '--coordinator': 'tests/slow/test_processes.py',
    '--launcher=slurm': 'tests/slow/studies/test_slurm.py',
}


def blocks(page: str, language: str) -> list[str]:
    found = re.findall(r'^```(.*?)\n(.*?)^```$', (ROOT / page).read_text(), re.MULTILINE | re.DOTALL)
    return [text for of, text in found if of == language]


def shell_lines(page: str) -> list[str]:
    return [line for block in blocks(page, '') for line in block.splitlines() if re.match(r'(python|pip|make) ', line)]


def in_checkout(folder: Path, arguments: list[str], **environment: str) -> subprocess.CompletedProcess:
    """Runs Python in a folder like a checkout."""
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=folder, env=os.environ | environment, capture_output=True, text=True)


@pytest.fixture(scope='module')
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder like a checkout with a short run of the digits."""
    folder = tmp_path_factory.mktemp('checkout')
    for name in ('main.py', 'configs', 'jax_resnet', 'docs'):
        (folder / name).symlink_to(ROOT / name)
    shutil.copy(ROOT / 'README.md', folder)
    shutil.copytree(ROOT / 'results', folder / 'results')
    done = in_checkout(
        folder, ['main.py', '--config=configs/resnet20_digits.py', '--workdir=runs/resnet20_digits/seed0', *SHORT]
    )
    assert done.returncode == 0, done.stderr
    Image.fromarray(np.full((40, 50, 3), 200, np.uint8)).save(folder / 'digit.png')
    done = in_checkout(folder, ['-m', 'jax_resnet', 'export', 'runs/resnet20_digits/seed0', '--out=net.jaxexport'])
    assert done.returncode == 0, done.stderr
    return folder


def added(line: str) -> list[str]:
    """Returns what makes a line shorter: fewer steps of a smaller network on fewer examples, or no training at all."""
    if ' study ' in line:
        return [] if '--list' in line else ['--list']
    if 'main.py' not in line or '--help' in line or line.endswith('configs/'):
        return []
    return [*SHORT, *(FEW if 'cifar10' in line else []), f'--workdir=runs/{abs(hash(line))}']


LINES = {line for page in PAGES for line in shell_lines(page) if not any(part in line for part in ELSEWHERE)}
SLOW = {line for line in LINES if FEW[0] in added(line) and not line.endswith('resnet110_cifar10.py')}


def test_every_part_that_is_left_out_is_there() -> None:
    text = ''.join((ROOT / page).read_text() for page in PAGES)
    assert [part for part in ELSEWHERE if part not in text] == []


@pytest.mark.parametrize(
    'line', [pytest.param(line, marks=[pytest.mark.soak] if line in SLOW else []) for line in sorted(LINES)]
)
def test_shell_line(checkout: Path, line: str, request: pytest.FixtureRequest) -> None:
    environment = {}
    if FEW[0] in added(line):
        environment['TFDS_DATA_DIR'] = str(Path(request.getfixturevalue('data_dir')).absolute())
    done = in_checkout(checkout, [*shlex.split(line)[1:], *added(line)], **environment)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize('page', [page for page in PAGES if blocks(page, 'python')])
def test_python_blocks(checkout: Path, page: str) -> None:
    program = '\n'.join(blocks(page, 'python'))
    # Compiling for a short time is faster here than good programs.
    quickly = {'XLA_FLAGS': '--xla_backend_optimization_level=1'}
    done = in_checkout(checkout, ['-W', 'ignore::ResourceWarning', '-c', program], **quickly)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize('page', PAGES)
def test_links_exist(page: str) -> None:
    targets = re.findall(r'\]\((?!https?:)([^)#]+)\)', (ROOT / page).read_text())
    for target in targets:
        assert ((ROOT / page).parent / target).exists(), target
