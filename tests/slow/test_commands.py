"""Commands in processes of their own: `main.py`, `python -m jax_resnet`, and what a process may meet."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.slow.processes import ROOT, printed, python

DIGITS = [
    *('--config=configs/resnet20_digits.py', '--config.model.depth=8', '--config.batch_size=32'),
    *('--config.train_for=12 steps', '--config.evaluate_every=5 steps', '--config.checkpoint_every=4 steps'),
    *('--config.dataset.test=test[:100]', '--config.batch_norm.group_size=16'),
]
COMMAND = ('-m', 'jax_resnet')


def test_a_run_then_evaluate(tmp_path: Path) -> None:
    out = printed('main.py', *DIGITS, f'--workdir={tmp_path}')
    assert 'step 12 of 12' not in out  # log_every is 100 steps
    for text in ('total', '75,002', 'weight decay', 'never reached', 'epoch 0.11: error train', 'final test error'):
        assert text in out
    summary = json.loads((tmp_path / 'summary.json').read_text())
    again = printed(*COMMAND, 'train', *DIGITS, f'--workdir={tmp_path}', '--quiet')
    assert again == f'{tmp_path}: test error {summary["final_test_error"]:.2f} %\n'
    numbers = json.loads(printed(*COMMAND, 'evaluate', str(tmp_path), '--json', '--quiet'))
    assert numbers['error'] == summary['final_test_error'] and numbers['correct'] == summary['test_correct']


def test_help_imports_no_jax() -> None:
    program = (
        'import sys; from jax_resnet.commands import command_line\n'
        'try: command_line.main(sys.argv[1:])\n'
        "except SystemExit: print([name for name in ('jax', 'PIL', 'altair') if name in sys.modules])"
    )
    for words in (['--help'], ['train', '--help'], ['evaluate', '--help'], ['inspect', 'responses', '--help']):
        out = printed('-c', program, *words)
        assert out.startswith('usage: python -m jax_resnet') and out.endswith('\n[]\n')


def test_a_run_is_named_by_its_changes_and_says_them_wherever_it_lies(tmp_path: Path) -> None:
    for name in ('main.py', 'configs', 'jax_resnet'):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / 'my-net.py').write_text('from configs.resnet20_digits import get_config\n')
    words = ['--config=my-net.py', *DIGITS[1:], '--config.model.order=original', '--config.train_for=1 step']
    printed('main.py', *words, cwd=tmp_path)
    (folder,) = (tmp_path / 'runs' / 'my-net').iterdir()
    assert 'order' not in folder.name and folder.name.endswith(',model.depth=8,train_for=1_step')
    (folder / 'seed0').rename(tmp_path / 'moved')
    origin = json.loads((tmp_path / 'moved' / 'config.json').read_text())
    assert origin['file'] == 'my-net.py'
    assert origin['changes'].items() >= {'train_for': '1 step', 'model.depth': 8}.items()
    printed(*COMMAND, 'results', 'add', 'moved', cwd=tmp_path)
    assert (tmp_path / 'results' / 'my-net' / folder.name / 'seed0' / 'summary.json').exists()


def test_a_run_continues_if_the_reader_of_its_output_ends(tmp_path: Path) -> None:
    start = [sys.executable, 'main.py', *DIGITS, '--config.log_every=1 step', f'--workdir={tmp_path}']
    with subprocess.Popen(start, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        process.stdout.readline()
        process.stdout.close()
        errors = process.stderr.read()
    assert process.returncode == 0, errors
    assert (tmp_path / 'summary.json').exists()


@pytest.mark.skipif(not Path('/dev/full').exists(), reason='no /dev/full')
def test_a_full_output_is_one_line() -> None:
    with Path('/dev/full').open('w') as full:
        command = [sys.executable, '-m', 'jax_resnet', 'study']
        done = subprocess.run(command, cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr) == (2, 'error: the output: No space left on device\n')


def test_an_output_that_supports_only_ascii() -> None:
    code, out, err = python(*COMMAND, 'report', 'results/resnet20_digits', PYTHONIOENCODING='ascii')
    assert code == 0 and r'\xb1' in out and err == ''


@pytest.mark.parametrize('streams', ['>&-', '>&- 2>&-', '| true'])
def test_closed_streams_are_no_error(streams: str) -> None:
    command = ['bash', '-o', 'pipefail', '-c', f'{sys.executable} -m jax_resnet caches {streams}']
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, '')


@pytest.mark.parametrize('platform', ['nope', 'cpu,nope'])
def test_a_missing_platform(platform: str) -> None:
    weights = 'results/weights/resnet20_digits.safetensors'
    code, _, err = python(*COMMAND, 'evaluate', weights, JAX_PLATFORMS=platform)
    assert code == 2 and err.startswith(f'error: JAX_PLATFORMS={platform}: must name') and err.count('\n') == 1
