"""The documentation is correct: its Python blocks run unchanged, and its shell lines with shorter training."""

import argparse
import re
import shlex
import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jax_resnet.commands import command_line
from tests.slow.processes import ROOT, printed

PAGES = ['README.md', 'results/README.md', *(str(path.relative_to(ROOT)) for path in sorted(ROOT.glob('docs/*.md')))]

SHORT = [
    *('--config.train_for=2 steps', '--config.model.depth=8', '--config.batch_size=16'),
    '--config.batch_norm.group_size=0',
]
FEW = [f'--config.dataset.{part}' for part in ('train=train[:64]', 'validation=train[-16:]', 'test=test[:16]')]

EXTENDED = ('large_batch_digits', 'smoothing', 'runs/squeeze', 'runs/stem', 'runs/shapes', 'runs/studies')
"""Parts of lines that need what docs/extend.md adds to the package."""

ELSEWHERE = {
    'by hand': ('make ', 'pip ', '.venv'),
    'tests/data/test_cifar.py, tests/data/pictures, tests/training/test_streamed.py': ('DIR', 'imagenette'),
    'tests/slow/test_timm.py': ('resnet50.',),
    'tests/slow/test_published_weights.py': ('resnet20.safetensors', 'ours.safetensors'),
    'tests/slow/test_hub.py': ('timm/', 'runs/mine'),
    'tests/training/test_protocols.py': ('runs/resnet50_imagenet',),
    'tests/commands': ('runs/resnet20_cifar10',),
    'tests/training/test_begin_extended.py': ('runs/trunk',),
    'tests/inspections/test_inspections.py': ('runs/branch',),
    'tests/report/test_page.py': ('notes.md',),
    'tests/slow/test_extend.py': EXTENDED,
    'tests/slow/test_processes.py': ('--coordinator',),
    'tests/slow/studies/test_slurm.py': ('--launcher=slurm',),
}
"""Tests of shell lines that name what is not in a checkout, and parts of these lines."""

LEFT_OUT = [part for parts in ELSEWHERE.values() for part in parts]


def blocks(page: str, language: str) -> list[str]:
    found = re.findall(r'^```(.*?)\n(.*?)^```$', (ROOT / page).read_text(), re.MULTILINE | re.DOTALL)
    return [text for of, text in found if of == language]


def shell_lines(page: str) -> list[str]:
    return [line for block in blocks(page, '') for line in block.splitlines() if re.match(r'(python|pip|make) ', line)]


@pytest.fixture(scope='module')
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder like a checkout with a short run of the digits."""
    folder = tmp_path_factory.mktemp('checkout')
    for name in ('main.py', 'configs', 'jax_resnet', 'docs'):
        (folder / name).symlink_to(ROOT / name)
    shutil.copy(ROOT / 'README.md', folder)
    shutil.copytree(ROOT / 'results', folder / 'results')
    run = 'runs/resnet20_digits/seed0'
    printed('main.py', '--config=configs/resnet20_digits.py', f'--workdir={run}', *SHORT, cwd=folder)
    Image.fromarray(np.full((40, 50, 3), 200, np.uint8)).save(folder / 'digit.png')
    printed('-m', 'jax_resnet', 'export', run, '--out=net.jaxexport', cwd=folder)
    return folder


def added(line: str) -> list[str]:
    """Returns what makes a line shorter: fewer steps of a smaller network on fewer examples, or no training at all."""
    if ' study ' in line:
        return [] if '--list' in line else ['--list']
    if 'main.py' not in line or '--help' in line or line.endswith('configs/'):
        return []
    return [*SHORT, *(FEW if 'cifar10' in line else []), f'--workdir=runs/{abs(hash(line))}']


LINES = {line for page in PAGES for line in shell_lines(page) if not any(part in line for part in LEFT_OUT)}
SLOW = {line for line in LINES if FEW[0] in added(line) and not line.endswith('resnet110_cifar10.py')}


def test_every_part_that_is_left_out_is_there() -> None:
    text = ''.join((ROOT / page).read_text() for page in PAGES)
    assert [part for part in LEFT_OUT if part not in text] == []


@pytest.mark.parametrize(
    'line', [pytest.param(line, marks=[pytest.mark.soak] if line in SLOW else []) for line in sorted(LINES)]
)
def test_shell_line(checkout: Path, line: str, request: pytest.FixtureRequest) -> None:
    environment = {}
    if FEW[0] in added(line):
        environment['TFDS_DATA_DIR'] = str(Path(request.getfixturevalue('data_dir')).absolute())
    printed(*shlex.split(line)[1:], *added(line), cwd=checkout, **environment)


UNTRIED = {
    line
    for page in PAGES
    for line in shell_lines(page)
    if re.match('python (main.py|-m jax_resnet) ', line) and not any(part in line for part in EXTENDED)
} - LINES


@pytest.mark.parametrize('line', sorted(UNTRIED))
def test_the_arguments_of_a_line_that_is_left_out_are_known(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _, program, *words = shlex.split(line)
    words = ['train', *words] if program == 'main.py' else words[1:]
    set_defaults = partial(argparse.ArgumentParser.set_defaults, run=lambda options: None)
    monkeypatch.setattr(command_line.Parser, 'set_defaults', lambda self, **_: set_defaults(self))
    assert command_line.main(words) == 0


@pytest.mark.parametrize('page', [page for page in PAGES if blocks(page, 'python')])
def test_python_blocks(checkout: Path, page: str) -> None:
    program = '\n'.join(blocks(page, 'python'))
    # Compiling for a short time is faster here than good programs.
    quickly = {'XLA_FLAGS': '--xla_backend_optimization_level=1'}
    printed('-W', 'ignore::ResourceWarning', '-c', program, cwd=checkout, **quickly)
