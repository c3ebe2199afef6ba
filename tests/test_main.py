"""The command line, in processes of its own: `python main.py`, `python -m jax_resnet.evaluate`."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
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


def test_help() -> None:
    for module, flag in [(None, '--config'), ('jax_resnet.evaluate', '--split')]:
        done = run('--help', module=module)
        assert done.returncode == 0 and flag in done.stdout


def test_a_reader_that_goes_away_does_not_end_the_run(tmp_path: Path) -> None:
    start = [sys.executable, 'main.py', *DIGITS, '--config.log_every=1 step', f'--workdir={tmp_path}']
    with subprocess.Popen(start, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        process.stdout.readline()
        process.stdout.close()
        errors = process.stderr.read()
    assert process.returncode == 0, errors
    assert (tmp_path / 'summary.json').exists()
