"""The command line, in processes of its own: `python main.py`, `python -m jax_resnet.evaluate`."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

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


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ([], '--config is needed'),
        (['--config=configs/resnet20_digits.py', '--workdir='], '--workdir: must name a folder'),
        (['--config=configs/resnet20_digits.py', '--workdir=/proc/x'], '/proc/x: must be a folder, or a place for one'),
        (['--config=configs/none.py'], '--config=configs/none.py: no such file'),
        (['--config=configs/resnet20_digits.py', '--config.batchsize=3'], 'did you mean config.batch_size?'),
        (
            ['--config=configs/resnet20_digits.py', '--config.sed=3'],
            'config.sed: unknown field; did you mean config.seed?',
        ),
        (
            ['--config=configs/resnet20_digits.py', '--config.learning_rate=1'],
            'did you mean config.schedule.learning_rate?',
        ),
        (
            ['--config=configs/plain20_cifar10.py', '--config.model.shortcut=A'],
            'config.model has no field shortcut',
        ),
        (['--config=configs/resnet20_digits.py', '--config.batch_size=x'], '--config.batch_size=x: invalid literal'),
        (
            ['--config=configs/resnet20_digits.py', '--config.batch_size=0'],
            'config.batch_size=0: must be a whole number',
        ),
        (['--config=configs/resnet20_digits.py', '--config.train_for=5'], "config.train_for='5': must be a positive"),
        (['--config=configs/resnet20_digits.py', '--config.schedule.learning_rate=nan'], 'learning_rate=nan: must be'),
        (['--config=configs/resnet20_digits.py', '--confg=3'], "Unknown command line flag 'confg'"),
        (['--config=configs/resnet20_digits.py', 'batch_size=3'], "unknown argument 'batch_size=3'"),
        (['--config=configs/lab_cifar10.py:resnet57'], "error: ValueError: unknown network 'resnet57'; known are"),
        (
            [
                '--config=configs/resnet20_cifar10.py',
                '--config.dataset.data_dir=/tmp/x/y',
                '--config.dataset.manual_dir=/none',
            ],
            '/none has neither cifar-10-binary.tar.gz nor its folder cifar-10-batches-bin',
        ),
    ],
)
def test_bad_input_is_one_line_and_exit_2(arguments: list[str], message: str, tmp_path: Path) -> None:
    done = run(f'--workdir={tmp_path}', *arguments)
    assert done.returncode == 2, done.stderr
    last = done.stderr.strip().splitlines()
    assert len(last) == 1 and last[0].startswith('error: ') and message in last[0]
    assert not list(tmp_path.iterdir())


def test_a_reader_that_goes_away_does_not_end_the_run(tmp_path: Path) -> None:
    start = [sys.executable, 'main.py', *DIGITS, '--config.log_every=1 step', f'--workdir={tmp_path}']
    with subprocess.Popen(start, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        process.stdout.readline()
        process.stdout.close()
        errors = process.stderr.read()
    assert process.returncode == 0, errors
    assert (tmp_path / 'summary.json').exists()


def test_evaluate_says_what_is_wrong(tmp_path: Path) -> None:
    done = run(str(tmp_path), module='jax_resnet.evaluate')
    assert done.returncode == 2 and done.stderr == f'error: {tmp_path}: must be a run folder; it has no config.json\n'
