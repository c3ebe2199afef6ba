"""What counts as the run of a job, and what a terminal shows."""

import json
import sys

import pytest

from jax_resnet.runs.run import FAILED
from jax_resnet.runs.run_folder import RunFolder
from jax_resnet.studies import Job, read
from jax_resnet.studies.progress import Display, read_run
from tests.terminal import Terminal


@pytest.fixture
def job(checkout: object) -> Job:
    return read('small.py', [0]).jobs[0]


def test_a_damaged_folder_or_another_run_is_a_failure(job: Job) -> None:
    RunFolder(job.folder).open(job.config, job.file, job.changes)
    path = job.folder / 'config.json'
    config = json.loads(path.read_text())
    path.write_text(json.dumps(config | {'fields': config['fields'] | {'batch_size': 33}}))
    assert (
        read_run(job).state == FAILED
        and 'config.batch_size is 33 in the existing run, 32 in this one' in read_run(job).failure
    )
    path.write_text('{"batch_size": 33')
    assert f'{path} is damaged' in read_run(job).failure


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
