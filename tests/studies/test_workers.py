"""Which run goes where, and what becomes of the others when one fails or the study is stopped; the runs are pretended."""

import itertools
import json
import os
import signal
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from jax_resnet.errors import Stopped
from jax_resnet.runs.run import RUNNING, STOPPED
from jax_resnet.runs.run_folder import RunFolder
from jax_resnet.studies import read, workers
from jax_resnet.studies.display import Display
from jax_resnet.studies.state import prepare, run_of
from tests.runs.conftest import SUMMARY

PROGRAM = """\
import json, os, pathlib, signal, sys, time
folder = pathlib.Path(sys.argv[1])
print(json.dumps({'step': 1, 'end': 2, 'epoch': 0.5, 'train_loss': 2.0, 'train_error': 80.0}), flush=True)
print('no progress', json.dumps({'step': 'x'}), '{"step": 1, "end": 0}', '[' * 5000, '{', sep='\\n', flush=True)
began = time.time()
mode = os.environ.get('MODE', '')
if mode == 'wait':
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    (folder / 'began').touch()
    sys.stdin.read()
if mode == 'fail' and json.loads((folder / 'config.json').read_text())['fields']['schedule']['learning_rate'] == 0.01:
    print('error: it cannot be', file=sys.stderr)
    sys.exit(2)
time.sleep(0.2)
(folder / 'where.json').write_text(json.dumps([os.environ.get('CUDA_VISIBLE_DEVICES'), began, time.time()]))
(folder / 'summary.json').write_text(json.dumps(json.loads(os.environ['SUMMARY'])))
"""


@pytest.fixture(autouse=True)
def _pretended(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (checkout / 'pretend.py').write_text(PROGRAM)
    monkeypatch.setattr(workers, 'COMMAND', (sys.executable, str(checkout / 'pretend.py')))
    monkeypatch.setenv('SUMMARY', json.dumps(SUMMARY | {'seconds': 1.0}))
    monkeypatch.delenv('CUDA_VISIBLE_DEVICES', raising=False)


def whereabouts(plan: object) -> list[tuple[str | None, float, float]]:
    return [tuple(json.loads((job.folder / 'where.json').read_text())) for job in plan.jobs]  # type: ignore[attr-defined]


def test_one_at_a_time_without_gpus(capsys: pytest.CaptureFixture) -> None:
    plan = read('small.py', [0, 1])
    assert workers.train_all(plan.jobs, [], Display(dict.fromkeys(plan.jobs, 1.0))) == {}
    places = whereabouts(plan)
    assert [device for device, _, _ in places] == [None] * 4
    assert all(end <= began for (_, _, end), (_, began, _) in itertools.pairwise(places))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == 'rate 0.1, seed 0: started' and len(lines) == 8
    assert lines[-1].startswith('[4/4] rate 0.01, seed 1: 5.00 % test error, 1 s; 0:00:00 left')


def test_one_on_each_gpu() -> None:
    plan = read('small.py', [0, 1])
    workers.train_all(plan.jobs, ['0', '2'], Display(dict.fromkeys(plan.jobs, 1.0)))
    places = whereabouts(plan)
    assert {device for device, _, _ in places} == {'0', '2'}
    for device in ('0', '2'):
        own = sorted((p for p in places if p[0] == device), key=lambda p: p[1])
        assert all(end <= began for (_, _, end), (_, began, _) in itertools.pairwise(own))
    first, second = sorted(places, key=lambda p: p[1])[:2]
    assert second[1] < first[2]  # side by side


def test_a_run_that_fails_is_named_and_the_rest_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('MODE', 'fail')
    plan = read('small.py', [0])
    failed = workers.train_all(plan.jobs, [], Display(dict.fromkeys(plan.jobs, 1.0)))
    assert {job.name: reason for job, reason in failed.items()} == {'rate 0.01, seed 0': 'it cannot be'}
    assert (plan.jobs[0].folder / 'summary.json').exists()


def test_a_folder_of_another_run_is_named_and_the_rest_goes_on() -> None:
    plan = read('small.py', [0])
    other = read('small.py:0.1', [0], {'batch_size': '33', 'batch_norm.group_size': '0'}).jobs[0]
    RunFolder(plan.jobs[0].folder).open(other.config)
    failed = workers.train_all(plan.jobs, [], Display(dict.fromkeys(plan.jobs, 1.0)))
    assert (
        list(failed) == [plan.jobs[0]] and 'config.batch_size is 33 in the existing run, 32 in' in failed[plan.jobs[0]]
    )
    assert (plan.jobs[1].folder / 'summary.json').exists()


def test_a_run_that_another_study_trains_or_has_trained_is_left_to_it(capsys: pytest.CaptureFixture) -> None:
    """Since this study decided what to do, another one has begun the first run, and finished the second."""
    plan = read('small.py', [0])
    for job in plan.jobs:
        prepare(job)
    log = plan.jobs[0].folder / 'log.txt'
    log.write_text('of the other study')
    RunFolder(plan.jobs[1].folder).write_summary(SUMMARY)
    with RunFolder(plan.jobs[0].folder).locked():
        assert workers.train_all(plan.jobs, [], Display(dict.fromkeys(plan.jobs, 1.0))) == {}
    assert log.read_text() == 'of the other study'
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith('[1/2] rate 0.1, seed 0: not finished: another program is training it, before its first')
    assert second.startswith('[2/2] rate 0.01, seed 0: another program has trained it, 5.00 % test error')


def test_a_run_that_another_study_begins_at_the_same_moment_has_not_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both have started a process; the lock stops the second one."""
    monkeypatch.setenv('MODE', 'fail')
    plan = read('small.py:0.01', [0])
    (job,) = plan.jobs
    prepare(job)
    with RunFolder(job.folder).locked():
        states = itertools.chain([STOPPED], itertools.repeat(RUNNING))
        monkeypatch.setattr(workers, 'run_of', lambda job: replace(run_of(job), is_running=next(states) == RUNNING))
        assert workers.train_all(plan.jobs, [], Display({job: 1.0})) == {}
    assert 'it cannot be' in (job.folder / 'log.txt').read_text()


def test_a_signal_reaches_the_runs_and_no_more_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('MODE', 'wait')
    plan = read('small.py', [0, 1])

    def interrupt() -> None:
        while not all((job.folder / 'began').exists() for job in plan.jobs[:2]):
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    with pytest.raises(Stopped, match='stopped by SIGINT; every run in progress has saved its state') as stopped:
        workers.train_all(plan.jobs, ['0', '1'], Display(dict.fromkeys(plan.jobs, 1.0)))
    assert stopped.value.exit_code == 130
    assert not plan.jobs[2].folder.exists()
