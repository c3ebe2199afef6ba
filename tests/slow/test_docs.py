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
REAL = [*SHORT, '--config.dataset.train=train[:64]', '--config.dataset.test=test[:16]']
STUDY = [
    '--seeds=0',
    '--set=dataset.name=digits',
    *(option.replace('--config.', '--set=') for option in SHORT),
]
TORCHVISIONS = '--config=configs/torchvision_imagenet.py:resnet50'
AKAMASTERS = (
    '--config=configs/resnet20_cifar10.py --config.model.shortcut=A_centred --config.dataset.normalization=channel '
    '--config.dataset.channel_mean=0.485,0.456,0.406 --config.dataset.channel_std=0.229,0.224,0.225'
)
SHELL: dict[str, list[str] | None] = {
    # Each shell line of the documentation, and the words that the test adds. None: tested elsewhere, or by hand.
    'make train': None,
    'make test': None,
    'python -m venv .venv && . .venv/bin/activate': None,
    "pip install -c constraints.txt -e '.[test]'       # with a GPU: '.[cuda13,test]' or '.[cuda,test]', without -c": None,
    'python main.py --config=configs/resnet20_digits.py': SHORT,
    'python main.py --config=configs/resnet110_cifar10.py': REAL,
    'python main.py --config=configs/resnet110_cifar10.py --config.dataset.manual_dir=DIR': REAL,
    # tests/training/test_streamed.py and tests/data/pictures have folders and tars
    'python main.py --config=configs/resnet18_folder.py --config.dataset.folder=DIR --config.model.num_classes=3': None,
    'python main.py --config=configs/resnet18_imagenette.py': None,
    # tests/training/test_finetune.py and tests/slow/test_timm.py have these, with smaller networks
    'python scripts/pth_to_safetensors.py resnet50.pth resnet50.safetensors': None,
    'python main.py --config=configs/finetune_resnet50_folder.py --config.dataset.folder=DIR '
    '--config.model.num_classes=3 --config.init_from=resnet50.safetensors --workdir=runs/mine': None,
    'python main.py --config=configs/finetune_resnet50_folder.py --config.dataset.folder=DIR '
    '--config.model.num_classes=3 --config.init_from=resnet50.safetensors '
    '--config.optimizer.frozen=stem,stage1,stage2,stage3,stage4 --config.batch_norm.frozen=True '
    '--workdir=runs/probe': None,
    'python -m jax_resnet evaluate runs/mine': None,
    'python -m jax_resnet predict runs/mine picture.jpg': None,
    f'python -m jax_resnet evaluate resnet50.safetensors {TORCHVISIONS} --config.dataset.manual_dir=DIR': None,
    f'python -m jax_resnet evaluate resnet50.safetensors {TORCHVISIONS} --config.dataset.manual_dir=DIR '
    '--config.pictures.interpolation=bicubic --config.pictures.test_shorter_side=235': None,
    f'python -m jax_resnet predict resnet50.safetensors picture.jpg {TORCHVISIONS}': None,
    f'python -m jax_resnet convert resnet50.safetensors ours.safetensors --card {TORCHVISIONS}': None,
    'python -m jax_resnet convert runs/mine theirs.safetensors --to=torchvision': None,
    # tests/training/test_protocols.py has the protocols
    'python main.py --config=configs/goyal_imagenet.py:8192 --config.dataset.manual_dir=DIR': None,
    'python -m jax_resnet evaluate runs/resnet50_imagenet/seed0 --protocol=ten_crop': None,
    'python -m jax_resnet evaluate runs/resnet50_imagenet/seed0 --protocol=multi_scale --recalibrate=50000': None,
    'python -m jax_resnet evaluate runs/resnet50_imagenet/seed0 --shorter-side=320 --crop=320': None,
    'python -m jax_resnet data imagenet2012 --manual-dir=DIR': None,
    'python -m jax_resnet data verify --manual-dir=DIR': None,
    'python -m jax_resnet caches runs': [],
    'python -m jax_resnet caches runs --remove': [],
    "python main.py --config=configs/resnet20_cifar10.py --config.seed=2 --config.train_for='2 epochs'": REAL,
    'python main.py --config=configs/resnet20_cifar10.py --shorten=32': REAL,
    'python main.py --config=configs/lab_cifar10.py:plain56 --config.precision.compute=bfloat16': REAL,
    "python main.py --config=configs/resnet20_cifar10.py --config.dataset.train='train[:45000]' "
    "--config.dataset.validation='train[45000:]'": [*SHORT, '--config.dataset.train=train[:64]',
                                                    '--config.dataset.validation=train[-16:]',
                                                    '--config.dataset.test=test[:16]'],
    'python main.py --config=configs/preact_resnet110_cifar10.py --config.model.shortcut=B': REAL,
    'python main.py --config=configs/': [],
    'python main.py --help --config=configs/resnet20_cifar10.py': [],
    "python -m jax_resnet evaluate runs/resnet20_digits/seed0 --split='train[:10%]'": [],
    'python -m jax_resnet predict runs/resnet20_digits/seed0 digit.png': [],
    'python -m jax_resnet export runs/resnet20_digits/seed0 --out=net.jaxexport': [],
    'python -m jax_resnet convert runs/resnet20_digits/seed0 digits.safetensors --to=cifar --force': [],
    # The next four, of a published file from elsewhere, are in tests/slow/test_published_weights.py.
    f'python -m jax_resnet evaluate resnet20.safetensors {AKAMASTERS}': None,
    f'python -m jax_resnet convert resnet20.safetensors ours.safetensors --card {AKAMASTERS}': None,
    'python -m jax_resnet convert ours.safetensors theirs.safetensors --to=cifar': None,
    'python -m jax_resnet evaluate ours.safetensors': None,
    'python -m jax_resnet study --study=configs/studies/table6_2015.py:20 --seeds=0,1,2 --rehearse': ['--list'],
    'python -m jax_resnet study --study=configs/studies/table6_2015.py:20 --seeds=0,1,2': STUDY,
    'python -m jax_resnet report runs/studies/table6_2015-20 --out=runs/report.html': [],
    'python -m jax_resnet study': [],
    'python -m jax_resnet study --study=configs/studies/learning_rate.py:10,1,1/10 --seeds=0,1 --list': [],
    "python -m jax_resnet study --study=configs/studies/depth.py:cifar10,20,56 --set=train_for='1 epoch' --dry-run": [],
    'python -m jax_resnet study --study=configs/studies/learning_rate.py:1,1/10 --rehearse --set=model.depth=8': [
        '--list'],
    'python -m jax_resnet study --study=configs/studies/table6_2015.py --launcher=slurm '
    '--slurm=slurm_partition=gpu': None,
    # tests/slow/test_processes.py and tests/slow/test_cluster.py have several processes
    'python main.py --config=configs/resnet50_imagenet.py --config.dataset.manual_dir=DIR': None,
    'python main.py --config=configs/resnet20_cifar10.py --coordinator=node01:12345 --processes=2 --process=0': None,
    'python main.py --config=configs/resnet20_cifar10.py --coordinator=node01:12345 --processes=2 --process=1': None,
    'python -m jax_resnet study --study=configs/studies/table3_2015.py --launcher=slurm --slurm=nodes=2 '
    '--slurm=gpus_per_node=8 --slurm=slurm_partition=gpu --slurm=timeout_min=1440 --slurm=cpus_per_task=12': None,
    'python -m jax_resnet report runs/resnet20_digits/seed0': [],
    # tests/report/test_page.py has notes
    'python -m jax_resnet report runs/resnet20_digits/seed0 --out=runs/report.html --notes=notes.md': None,
    # tests/slow/test_hub.py has these, from a server of its own
    'python -m jax_resnet predict timm/resnet50.a1_in1k picture.jpg': None,
    'python -m jax_resnet evaluate timm/resnet50.a1_in1k --data=imagenette': None,
    'python -m jax_resnet convert timm/resnet50.a1_in1k ours.safetensors': None,
    'python -m jax_resnet export timm/resnet50.a1_in1k --out=net.jaxexport': None,
    'python main.py --config=configs/finetune_resnet50_folder.py --config.dataset.folder=DIR '
    '--config.model.num_classes=3 --config.init_from=timm/resnet50.a1_in1k --workdir=runs/mine': None,
    'python -m jax_resnet results add runs/resnet20_cifar10/seed*': None,
    'python -m jax_resnet results weights runs/resnet20_cifar10/seed*': None,
    'python -m jax_resnet results table': [],
    'python -m jax_resnet evaluate results/weights/resnet20_digits.safetensors': [],
    'python main.py --config=configs/resnet20_digits.py --config.init_from=runs/resnet20_digits/seed0 --config.seed=1': SHORT,
    'python -m jax_resnet inspect calibration results/weights/resnet20_digits.safetensors --out=calibration': [],
    # tests/commands/test_evaluate.py, test_begin_extended.py and tests/inspections have these
    'python -m jax_resnet evaluate runs/resnet20_cifar10/seed0 --images=cifar10.1_v6_data.npy '
    '--labels=cifar10.1_v6_labels.npy': None,
    'python -m jax_resnet evaluate runs/resnet20_cifar10/seed0 --images=CIFAR-10-C/fog.npy '
    '--labels=CIFAR-10-C/labels.npy --parts=5': None,
    "python main.py --config=configs/resnet20_cifar10.py --config.keep_every='2000 steps' --workdir=runs/trunk": None,
    'python main.py --config=configs/resnet20_cifar10.py --extend-from=runs/trunk@2000 --config.data_seed=1 '
    '--workdir=runs/branch1': None,
    'python main.py --config=configs/resnet20_cifar10.py --extend-from=runs/trunk@2000 --config.data_seed=2 '
    '--workdir=runs/branch2': None,
    'python -m jax_resnet inspect path runs/branch1 runs/branch2': None,
    'python -m jax_resnet study --study=configs/studies/instability.py:1,2 --seeds=0': ['--list'],
    'python -m jax_resnet inspect responses results/weights/resnet20_digits.safetensors configs/resnet20_digits.py '
    '--examples=128 --out=responses': [],
}  # fmt: skip


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


def test_every_shell_line_is_declared() -> None:
    pages = set(PAGES) - {'docs/extend.md'}  # tests/slow/test_extend.py has all of it
    assert {line for page in pages for line in shell_lines(page)} == set(SHELL)


def is_slow(line: str) -> bool:
    """Whether a test is slow: training on CIFAR, except for one line; a study; and its report."""
    words = line.split()
    trains = words[1] == 'main.py' and 'cifar10' in line and '--help' not in words
    return (trains and words[2:] != ['--config=configs/resnet110_cifar10.py']) or any(
        part in line for part in ('--seeds=0,1,2', 'report runs/studies')
    )


def together() -> list[list[str]]:
    """Groups the lines to test: the report of a study needs the line before, which trains it."""
    groups: list[list[str]] = []
    for line in (line for line, added in SHELL.items() if added is not None):
        if 'report runs/studies' in line:
            groups[-1].append(line)
        else:
            groups.append([line])
    return groups


@pytest.mark.parametrize(
    'lines',
    [
        pytest.param(lines, id=lines[0], marks=[pytest.mark.soak] if any(map(is_slow, lines)) else [])
        for lines in together()
    ],
)
def test_shell_line(checkout: Path, lines: list[str], request: pytest.FixtureRequest) -> None:
    for line in lines:
        check_line(checkout, line, request)


def check_line(checkout: Path, line: str, request: pytest.FixtureRequest) -> None:
    words = shlex.split(line.replace('=DIR', '=.'))
    if 'cifar10' in line and not any(word in words for word in ('--help', '--config=configs/', 'study')):
        os.environ['TFDS_DATA_DIR'] = str(Path(request.getfixturevalue('data_dir')).absolute())
    added = SHELL[line]
    assert words[0] == 'python' and added is not None
    workdir = [f'--workdir=runs/{abs(hash(line))}'] if words[1] == 'main.py' and added else []
    done = in_checkout(checkout, [*words[1:], *added, *workdir])
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
