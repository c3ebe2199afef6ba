"""The process of a job: what it tells the study, and what becomes of it when the study is gone."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from jax_resnet.errors import ConfigError, Diverged, OutOfMemory
from jax_resnet.runs.run import FAILED, STOPPED
from jax_resnet.runs.run_folder import RunFolder
from jax_resnet.studies import job as process_of_a_job
from jax_resnet.studies import read
from jax_resnet.studies.plan import Job
from jax_resnet.studies.state import prepare, run_of
from tests.studies.conftest import ROOT
from tests.training.conftest import loop


@pytest.fixture
def job(checkout: Path) -> Job:
    job = read('small.py:1e30', [0], {'train_for': '2000 steps', 'evaluate_every': '1000 steps'}).jobs[0]
    prepare(job)
    return job


def test_why_it_failed_is_kept(job: Job, capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(Diverged):
        process_of_a_job.train(job.folder)
    assert run_of(job).state == FAILED and 'is not finite' in run_of(job).failure
    with RunFolder(job.folder).locked(), pytest.raises(ConfigError, match='another program trains in this folder'):
        process_of_a_job.train(job.folder)
    assert 'is not finite' in run_of(job).failure


def test_a_run_that_lacks_memory_has_failed(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise MemoryError('Unable to allocate 4 TiB')

    monkeypatch.setattr(loop, 'compile_training', fail)
    with pytest.raises(OutOfMemory):
        process_of_a_job.train(job.folder)
    assert run_of(job).state == FAILED and 'out of memory (Unable to allocate 4 TiB)' in run_of(job).failure


def test_when_the_study_is_gone_it_saves_and_stops(checkout: Path) -> None:
    """As after a SIGKILL of the study: both pipes are closed at their other end."""
    job = read('small.py:0.1', [0], {'train_for': '100000 steps', 'evaluate_every': '50000 steps'}).jobs[0]
    prepare(job)
    with subprocess.Popen(
        [sys.executable, '-m', 'jax_resnet.studies.job', str(job.folder)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=os.environ | {'PYTHONPATH': str(ROOT)},
    ) as process:  # fmt: skip
        assert process.stdin and process.stdout and process.stderr
        line = json.loads(process.stdout.readline())
        assert line['end'] == 100_000 and 0 < line['step'] < line['end'] and 0 < line['train_error'] <= 100
        process.stdout.close()
        process.stdin.close()
        errors = process.stderr.read()
    assert process.returncode == 143 and 'saved; the same command continues' in errors, errors
    assert run_of(job).state == STOPPED
    assert list((job.folder / 'checkpoints').iterdir())
