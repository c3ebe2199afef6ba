"""The command, in processes of its own: a study stopped half way, continued, and finished."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from jax_resnet import training
from jax_resnet.errors import ConfigError, Diverged, OutOfMemory
from jax_resnet.report import sections
from jax_resnet.runs.run import FAILED, FINISHED
from jax_resnet.runs.run_folder import RunFolder
from jax_resnet.studies import Job, read
from jax_resnet.studies.progress import run_of
from tests.runs.conftest import SUMMARY
from tests.studies.conftest import ROOT
from tests.training.conftest import loop

CLOCKS = ('seconds', 'images_per_second')


def study(*arguments: str) -> subprocess.CompletedProcess:
    environment = os.environ | {'PYTHONPATH': str(ROOT)}
    command = [sys.executable, '-m', 'jax_resnet', 'study', *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True)


def numbers(folder: Path) -> list[dict]:
    lines = [json.loads(line) for line in (folder / 'metrics.jsonl').read_text().splitlines()]
    return [{name: value for name, value in line.items() if name not in CLOCKS} for line in lines]


@pytest.mark.soak
def test_a_study_killed_half_way_ends_with_the_same_table(checkout: Path) -> None:
    """SIGKILL to the study alone: its run notices, saves and stops; the same command goes on, and does the rest."""
    environment = os.environ | {'PYTHONPATH': str(ROOT)}
    command = [sys.executable, '-m', 'jax_resnet', 'study', '--study=small.py', '--set=train_for=400 steps']
    first, second = read('small.py', [0], {'train_for': '400 steps'}).jobs
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert any('started' in line for line in process.stdout)
        while not (first.folder / 'progress.json').exists():
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
    with (first.folder / 'lock').open('w') as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # until the run has stopped
    assert 'stopped by SIGTERM' in RunFolder(first.folder).log.read_text() and not second.folder.exists()

    done = study(*command[4:])
    assert done.returncode == 0, done.stderr
    assert '2 runs: 0 finished, 2 to train' in done.stdout and 'the study takes about ' in done.stdout
    assert 'python -m jax_resnet report runs/studies/small/' in done.stdout

    summary = training.train(first.config, checkout / 'whole')
    assert numbers(first.folder) == numbers(checkout / 'whole')
    (section,) = sections.read(['runs/studies/small'])
    assert section.rows[0].mean('final_test_error') == summary['final_test_error']
    assert len(section.rows[0].finished) == 2

    again = study(*command[4:])
    assert again.returncode == 0 and '2 runs: 2 finished, 0 to train' in again.stdout


@pytest.fixture
def job(checkout: Path) -> Job:
    return read('small.py:1e30', [0], {'train_for': '2000 steps', 'evaluate_every': '1000 steps'}).jobs[0]


def test_why_a_run_failed_is_kept(job: Job) -> None:
    with pytest.raises(Diverged):
        training.train(job.config, job.folder)
    assert run_of(job).state == FAILED and 'is not finite' in run_of(job).failure
    with RunFolder(job.folder).locked(), pytest.raises(ConfigError, match='another program trains in this folder'):
        training.train(job.config, job.folder)
    assert 'is not finite' in run_of(job).failure


def test_a_run_that_lacks_memory_has_failed(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise MemoryError('Unable to allocate 4 TiB')

    monkeypatch.setattr(loop, 'compile_training', fail)
    with pytest.raises(OutOfMemory):
        training.train(job.config, job.folder)
    assert run_of(job).state == FAILED and 'out of memory (Unable to allocate 4 TiB)' in run_of(job).failure


def test_retrain_keeps_the_old_folder_and_the_other_seeds(checkout: Path) -> None:
    job, other = read('small.py:0.1', [0, 1]).jobs
    for each in (job, other):
        RunFolder(each.folder).open(each.config, each.file, each.changes)
        RunFolder(each.folder).write_summary(SUMMARY)
    assert '2 finished, 0 to train' in study('--study=small.py:0.1', '--seeds=0,1').stdout
    done = study('--study=small.py:0.1', '--seeds=0', '--retrain')
    assert done.returncode == 0, done.stderr
    aside = job.folder.with_name('seed0.replaced1')
    assert f'rate 0.1, seed 0: the folder of the finished run is now {aside}\n' in done.stdout
    assert '2 runs: 1 finished, 1 to train' in done.stdout
    assert RunFolder(other.folder).summary() == SUMMARY and not list(other.folder.parent.glob('seed1.*'))
    assert RunFolder(aside).summary() == SUMMARY
    run = run_of(job)
    assert run.state == FINISHED and run.summary['test_count'] == 100
    (section,) = sections.read(['runs'])
    assert [run.folder for run in section.rows[0].runs] == [job.folder, other.folder]
