"""What is told of a run, how long runs take, and what a terminal shows."""

import json
import sys

import pytest

from jax_resnet.runs.run import FAILED, FINISHED, MISSING, RUNNING, STOPPED
from jax_resnet.runs.run_folder import RunFolder
from jax_resnet.studies import Job, read
from jax_resnet.studies.progress import Display, describe, read_run
from tests.runs.conftest import LINE, SUMMARY
from tests.terminal import Terminal


@pytest.fixture
def job(checkout: object) -> Job:
    return read('small.py', [0]).jobs[0]


def told(job: Job) -> tuple[str, str]:
    run = read_run(job)
    return run.state, describe(run)


def test_states(job: Job) -> None:
    assert told(job) == (MISSING, '')
    folder = RunFolder(job.folder)
    folder.open(job.config, job.file, job.changes)
    assert told(job) == (STOPPED, 'before its first evaluation')
    folder.add_metrics(LINE)
    assert told(job) == (STOPPED, 'at epoch 0.8 of 12 steps')
    with folder.locked():
        assert told(job) == (RUNNING, 'another program is training it, at epoch 0.8 of 12 steps')
    folder.write_failure('the loss is not finite')
    assert told(job) == (FAILED, 'the loss is not finite')
    folder.write_failure(None)
    folder.write_summary(SUMMARY)
    assert told(job) == (FINISHED, '5.00 % test error, 3 s')


def test_a_damaged_folder_or_another_run_is_a_failure(job: Job) -> None:
    RunFolder(job.folder).open(job.config, job.file, job.changes)
    path = job.folder / 'config.json'
    config = json.loads(path.read_text())
    path.write_text(json.dumps(config | {'fields': config['fields'] | {'batch_size': 33}}))
    state, detail = told(job)
    assert state == FAILED and 'config.batch_size is 33 in the existing run, 32 in this one' in detail
    path.write_text('{"batch_size": 33')
    state, detail = told(job)
    assert state == FAILED and f'{path} is damaged' in detail


def test_one_bar_for_the_study_and_a_line_for_each_run(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, 'stdout', terminal)
    display = Display(workers=2)
    display.started(0, 'A, seed 0 on GPU 0')
    display.started(1, 'B, seed 0 on GPU 1')
    display.show(1, 'B, seed 0: 50 %')
    display.show_study(0.5, '1 of 2 runs, 0:01:00 left')
    display.say('a line')
    first, bar, *lines = terminal.screen()
    assert first == 'a line' and bar.startswith(' 50%') and bar.endswith('1 of 2 runs, 0:01:00 left')
    assert lines == ['A, seed 0 on GPU 0', 'B, seed 0: 50 %']
    display.close()
    assert len(terminal.screen()) == 2
