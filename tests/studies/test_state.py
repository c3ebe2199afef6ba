"""What a run folder says of the run of a job."""

import json
from pathlib import Path

import pytest

from jax_resnet.runs.run import FAILED, FINISHED, MISSING, RUNNING, STOPPED
from jax_resnet.runs.run_folder import RunFolder
from jax_resnet.studies import read
from jax_resnet.studies.plan import Job
from jax_resnet.studies.state import describe, run_of
from tests.runs.conftest import LINE, SUMMARY


def prepare(job: Job) -> None:
    RunFolder(job.folder).open(job.config, job.file, job.changes)


def told(job: Job) -> tuple[str, str]:
    run = run_of(job)
    return run.state, describe(run)


def test_states(checkout: Path) -> None:
    job = read('small.py', [0]).jobs[0]
    assert told(job) == (MISSING, '')
    prepare(job)
    assert told(job) == (STOPPED, 'before its first evaluation')
    folder = RunFolder(job.folder)
    folder.add_metrics(LINE)
    assert told(job) == (STOPPED, 'at epoch 0.8 of 12 steps')
    with folder.locked():
        assert told(job) == (RUNNING, 'at epoch 0.8 of 12 steps')
    folder.write_failure('the loss is not finite')
    assert told(job) == (FAILED, 'the loss is not finite')
    folder.write_failure(None)
    folder.write_summary(SUMMARY)
    assert told(job) == (FINISHED, '5.00 % test error, 3 s')


@pytest.mark.parametrize('content', ['{"batch_size": 33', 'null', '{"seed": "x"}'])
def test_a_damaged_folder_is_a_failure(checkout: Path, content: str) -> None:
    job = read('small.py', [0]).jobs[0]
    prepare(job)
    (job.folder / 'config.json').write_text(content)
    state, detail = told(job)
    assert state == FAILED and f'{job.folder}/config.json is damaged' in detail


def test_a_folder_of_another_run_is_a_failure(checkout: Path) -> None:
    job = read('small.py', [0]).jobs[0]
    prepare(job)
    config = json.loads((job.folder / 'config.json').read_text())
    (job.folder / 'config.json').write_text(json.dumps(config | {'fields': config['fields'] | {'batch_size': 33}}))
    state, detail = told(job)
    assert state == FAILED and 'config.batch_size is 33 in the existing run, 32 in this one' in detail
