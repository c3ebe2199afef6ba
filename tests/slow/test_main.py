"""The commands `python main.py` and `python -m jax_resnet.evaluate`, in new processes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from absl.testing import flagsaver
from PIL import Image

import main
from jax_resnet import training

ROOT = Path(__file__).parents[2]
SMALL = [
    '--config.model.depth=8',
    '--config.batch_size=32',
    '--config.train_for=12 steps',
    '--config.evaluate_every=5 steps',
    '--config.checkpoint_every=4 steps',
    '--config.dataset.test=test[:100]',
]
DIGITS = ['--config=configs/resnet20_digits.py', *SMALL, '--config.batch_norm.group_size=16']


def run(*arguments: str, module: str | None = None, **environment: str) -> subprocess.CompletedProcess:
    program = ['main.py'] if module is None else ['-m', module]
    return subprocess.run(
        [sys.executable, *program, *arguments], cwd=ROOT, env=os.environ | environment, capture_output=True, text=True
    )


def test_a_run_then_evaluate(tmp_path: Path) -> None:
    done = run(*DIGITS, f'--workdir={tmp_path}')
    assert done.returncode == 0, done.stderr
    assert 'step 12 of 12' not in done.stdout  # log_every is 100 steps
    for text in ('total', '75,002', 'weight decay', 'never reached', 'epoch 0.11: error train', 'final test error'):
        assert text in done.stdout
    again = run(*DIGITS, f'--workdir={tmp_path}')
    assert again.returncode == 0 and 'finished' in again.stdout
    summary = json.loads((tmp_path / 'summary.json').read_text())
    evaluated = run(str(tmp_path), module='jax_resnet.evaluate')
    assert evaluated.returncode == 0
    assert f'error {summary["final_test_error"]:.2f} % ({summary["test_correct"]} of 100 correct)' in evaluated.stdout


@pytest.mark.soak
def test_resnet50_trains_on_views_of_224_pixels(tmp_path: Path) -> None:
    for split in ('train', 'val'):
        for k, name in enumerate('ab'):
            (tmp_path / split / name).mkdir(parents=True)
            for i in range(4):
                pixels = np.random.default_rng(i).integers(90 * k, 160, (240, 300, 3), np.uint8)
                Image.fromarray(pixels).save(tmp_path / split / name / f'{i}.jpg')
    fields = {
        'dataset.name': 'folder', 'dataset.folder': tmp_path, 'model.num_classes': 2, 'model.v1_5': True,
        'batch_size': 8, 'batch_norm.group_size': 0, 'train_for': '3 steps', 'pictures.protocol': 'center',
    }  # fmt: skip
    words = [f'--config.{name}={value}' for name, value in fields.items()]
    done = run('--config=configs/resnet50_imagenet.py', *words, f'--workdir={tmp_path / "run"}')
    assert done.returncode == 0, done.stderr
    summary = json.loads((tmp_path / 'run' / 'summary.json').read_text())
    assert summary['steps'] == 3 and summary['final_test_error'] in [12.5 * k for k in range(9)]


def test_help() -> None:
    for module, flag in [(None, '--config'), ('jax_resnet.evaluate', '--split')]:
        done = run('--help', module=module)
        assert done.returncode == 0 and flag in done.stdout


def test_help_lists_every_field_of_a_config() -> None:
    done = run('--help', '--config.model.name=identity4', '--config=configs/resnet20_digits.py')
    assert (
        done.returncode == 0 and 'model.stage_sizes=(2, 2, 2, 2)\n      units in each stage (a tuple of' in done.stdout
    )
    assert 'schedule.warmup_for=\n' in done.stdout and 'model.depth' not in done.stdout


def test_a_folder_lists_its_configs(tmp_path: Path) -> None:
    (tmp_path / 'good.py').write_text('"""A good one.\n\nMore."""\n\ndef get_config():\n  pass\n')
    (tmp_path / 'no_config.py').write_text('x = 1\n')
    (tmp_path / 'broken.py').write_text('def get_config(:\n')
    (tmp_path / 'binary.py').write_bytes(bytes(range(256)))
    (tmp_path / 'latin.py').write_bytes('"""Größe"""'.encode('latin-1'))
    (tmp_path / 'dangling.py').symlink_to('nowhere')
    (tmp_path / 'folder.py').mkdir()
    os.mkfifo(tmp_path / 'pipe.py')
    done = run(f'--config={tmp_path}')
    assert done.returncode == 0 and not done.stderr
    lines = {line.split(':')[0].rpartition('/')[2]: line.partition(': ')[2] for line in done.stdout.splitlines()}
    assert lines.pop('good.py') == 'A good one.'
    assert set(lines) == {'broken.py', 'binary.py', 'latin.py', 'dangling.py', 'folder.py', 'pipe.py'}
    assert all(line.startswith('cannot be read (') for line in lines.values())


def test_a_run_is_named_by_its_changes_and_says_them_wherever_it_lies(tmp_path: Path) -> None:
    for name in ('main.py', 'configs', 'jax_resnet'):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / 'my-net.py').write_text('from configs.resnet20_digits import get_config\n')
    words = ['--config=my-net.py', *DIGITS[1:], '--config.model.order=original', '--config.train_for=1 step']
    done = subprocess.run([sys.executable, 'main.py', *words], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (folder,) = (tmp_path / 'runs' / 'my-net').iterdir()
    assert 'order' not in folder.name and folder.name.endswith(',model.depth=8,train_for=1_step')
    (folder / 'seed0').rename(tmp_path / 'moved')
    origin = json.loads((tmp_path / 'moved' / 'config.json').read_text())
    assert (
        origin['file'] == 'my-net.py' and origin['changes'].items() >= {'train_for': '1 step', 'model.depth': 8}.items()
    )
    command = [sys.executable, '-m', 'jax_resnet.results', 'add', 'moved']
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / 'results' / 'my-net' / folder.name / 'seed0.json').exists()


def test_a_run_continues_if_the_reader_of_its_output_ends(tmp_path: Path) -> None:
    start = [sys.executable, 'main.py', *DIGITS, '--config.log_every=1 step', f'--workdir={tmp_path}']
    with subprocess.Popen(start, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        process.stdout.readline()
        process.stdout.close()
        errors = process.stderr.read()
    assert process.returncode == 0, errors
    assert (tmp_path / 'summary.json').exists()


def test_extend_from_reaches_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    monkeypatch.setattr(training, 'train', lambda config, workdir, **options: found.append((workdir, options)))
    words = (*DIGITS, f'--workdir={tmp_path}/long', f'--extend-from={tmp_path}/short')
    assert run_here(monkeypatch, *words) == 0
    ((workdir, options),) = found
    assert workdir == f'{tmp_path}/long' and options['extend_from'] == f'{tmp_path}/short'


def test_a_run_cannot_extend_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    words = (*DIGITS, f'--workdir={tmp_path}/run', f'--extend-from={tmp_path}/run')
    assert run_here(monkeypatch, *words) == 2
    assert capsys.readouterr().err == f'error: --extend-from={tmp_path}/run: must be another folder than --workdir\n'


def run_here(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """Runs main.py in this process. Returns its exit code."""
    monkeypatch.chdir(ROOT)
    with flagsaver.flagsaver():
        return main.main(['main.py', *arguments])
