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
from jax_resnet.runs.environment import HUGE_PAGES
from jax_resnet.runs.run import FAILED, RUNNING, STOPPED
from jax_resnet.runs.run_folder import RunFolder
from jax_resnet.studies import Job, local, read
from jax_resnet.studies.progress import read_run
from tests.runs.conftest import LINE, SUMMARY
from tests.studies.conftest import ROOT

PROGRAM = """\
import json, os, pathlib, signal, sys, time
given = dict(word.removeprefix('--config').lstrip('.').split('=', 1) for word in sys.argv[1:])
rate, seed = given.get('schedule.learning_rate', '0.1'), given['seed']
folders = pathlib.Path('runs').glob(f'*/*/seed{seed}')
(folder,) = [one for one in folders if ('rate=0.01' in str(one)) == (rate == '0.01')]
began, mode = time.time(), os.environ.get('MODE', '')
for step in range(1, 8 if mode == 'slow' else 3):
    progress = {'step': step, 'end': 12, 'epoch': 0.5, 'train_error': 80.0}
    (folder / 'draft').write_text(json.dumps(progress))
    (folder / 'draft').replace(folder / 'progress.json')
    time.sleep(0.3 if mode == 'slow' else 0.05)
if mode == 'pair':  # two run at a time: the first one waits until the second one has begun
    (folder / 'began').touch()
    while time.time() < began + 60 and len([*pathlib.Path('runs').glob('*/*/*/began')]) < 2:
        time.sleep(0.05)
if mode == 'wait':
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    (folder / 'began').touch()
    time.sleep(60)
if rate == '0.01' and mode == 'fail':
    print('error: it cannot be', file=sys.stderr)
    sys.exit(2)
if rate == '0.01' and mode == 'killed':
    os.kill(os.getpid(), signal.SIGKILL)
time.sleep(0.5)
(folder / 'where.json').write_text(json.dumps([os.environ.get('CUDA_VISIBLE_DEVICES'), began, time.time()]))
(folder / 'tunables').write_text(os.environ.get('GLIBC_TUNABLES', ''))
(folder / 'summary.json').write_text(os.environ['SUMMARY'])
"""


@pytest.fixture(autouse=True)
def _pretended(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (checkout / 'pretend.py').write_text(PROGRAM)
    monkeypatch.setattr(local, 'SECONDS_BETWEEN_LOOKS', 0.2)
    monkeypatch.setattr(local, 'COMMAND', (sys.executable, str(checkout / 'pretend.py')))
    monkeypatch.setenv('SUMMARY', json.dumps(SUMMARY | {'seconds': 1.0}))
    monkeypatch.delenv('CUDA_VISIBLE_DEVICES', raising=False)


def prepare(job: Job) -> RunFolder:
    folder = RunFolder(job.folder)
    folder.open(job.config, job.file, job.changes)
    return folder


def whereabouts(plan: object) -> list[tuple[str | None, float, float]]:
    return [tuple(json.loads((job.folder / 'where.json').read_text())) for job in plan.jobs]  # type: ignore[attr-defined]


def test_one_at_a_time_without_gpus(capsys: pytest.CaptureFixture) -> None:
    plan = read('small.py', [0, 1])
    assert local.train_all(plan.jobs, []) == {}
    found = whereabouts(plan)
    assert [device for device, _, _ in found] == [None] * 4
    assert all(end <= began for (_, _, end), (_, began, _) in itertools.pairwise(found))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == 'measuring the speed of 1 network: a minute of the first run of each'
    assert lines[1] == 'rate 0.1, seed 0: started' and lines[2].startswith(
        '[1/4] rate 0.1, seed 0: finished, 5.00 % test error, 1 s'
    )
    assert lines[3].startswith('the study takes about 0:00:0') and len(lines) == 10
    assert lines[-1] == '[4/4] rate 0.01, seed 1: finished, 5.00 % test error, 1 s'


def test_how_long_it_takes_is_known_from_runs_of_the_same_network(capsys: pytest.CaptureFixture) -> None:
    plan = read('small.py', [0])
    prepare(read('small.py:0.1', [7]).jobs[0]).add_metrics(LINE | {'images_per_second': 0.0032})  # 10,000 s a step
    local.train_all(plan.jobs, ['0', '1'])
    assert capsys.readouterr().out.startswith(
        'the study takes about 1 day, 9:20:00 from now\n'
    )  # 12 steps, side by side


def test_an_unknown_network_is_trained_for_a_moment_first_and_continued(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(local, 'MEASURED', 0.01)
    monkeypatch.setenv('MODE', 'slow')
    plan = read('small.py', [0])
    assert local.train_all(plan.jobs, []) == {}
    lines = capsys.readouterr().out.splitlines()
    started = [line for line in lines if line.endswith('started')]
    assert started == ['rate 0.1, seed 0: started'] * 2 + ['rate 0.01, seed 0: started']


def test_one_on_each_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('MODE', 'pair')
    plan = read('small.py', [0, 1])
    prepare(plan.jobs[0]).add_metrics(LINE)
    local.train_all(plan.jobs, ['0', '2'])
    found = whereabouts(plan)
    for device in ('0', '2'):
        own = sorted((p for p in found if p[0] == device), key=lambda p: p[1])
        assert own and all(end <= began for (_, _, end), (_, began, _) in itertools.pairwise(own))
    first, second = sorted(found, key=lambda p: p[1])[:2]
    assert second[1] < first[2]  # side by side


def test_runs_on_a_cpu_use_huge_pages_unless_the_user_has_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    for seed, (devices, expected) in enumerate(([[], HUGE_PAGES], [['0'], ''], [[], 'the.user=1'])):
        monkeypatch.delenv('GLIBC_TUNABLES', raising=False)
        if expected.startswith('the.user'):
            monkeypatch.setenv('GLIBC_TUNABLES', expected)
        (job,) = read('small.py:0.1', [seed]).jobs
        prepare(job).add_metrics(LINE)
        assert local.train_all([job], devices) == {}
        assert (job.folder / 'tunables').read_text() == expected
    assert f'GLIBC_TUNABLES={HUGE_PAGES}\n' in (ROOT / 'docs' / 'runs.md').read_text()


@pytest.mark.parametrize(
    ('mode', 'reason'), [('fail', 'it cannot be'), ('killed', 'killed by SIGKILL; perhaps it lacked memory')]
)
def test_a_run_that_fails_is_named_and_the_rest_goes_on(
    mode: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('MODE', mode)
    plan = read('small.py', [0])
    failed = local.train_all(plan.jobs[::-1], [])
    assert {job.name: text for job, text in failed.items()} == {'rate 0.01, seed 0': reason}
    run = read_run(plan.jobs[1])
    assert (run.state, run.failure) == (FAILED, reason)
    assert (plan.jobs[0].folder / 'summary.json').exists()


def test_a_folder_of_another_run_is_named_and_the_rest_goes_on() -> None:
    plan = read('small.py', [0])
    other = read('small.py:0.1', [0], {'batch_size': '33', 'batch_norm.group_size': '0'}).jobs[0]
    RunFolder(plan.jobs[0].folder).open(other.config)
    RunFolder(plan.jobs[0].folder).add_metrics(LINE)
    failed = local.train_all(plan.jobs, [])
    assert (
        list(failed) == [plan.jobs[0]] and 'config.batch_size is 33 in the existing run, 32 in' in failed[plan.jobs[0]]
    )
    assert (plan.jobs[1].folder / 'summary.json').exists()


def test_a_run_that_another_study_trains_or_has_trained_is_left_to_it(capsys: pytest.CaptureFixture) -> None:
    """Since this study decided what to do, another one has begun the first run, and finished the second."""
    plan = read('small.py', [0])
    first, second = map(prepare, plan.jobs)
    first.add_metrics(LINE)
    second.write_summary(SUMMARY)
    with first.locked():
        assert local.train_all(plan.jobs, []) == {}
    assert not first.log.exists()
    _, *lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith('[1/2] rate 0.1, seed 0: running, at epoch 0.8 of 12 steps')
    assert lines[1].startswith('[2/2] rate 0.01, seed 0: finished, 5.00 % test error')


def test_a_run_that_another_study_begins_at_the_same_moment_has_not_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both have started a process; the lock stops the second one."""
    monkeypatch.setenv('MODE', 'fail')
    (job,) = read('small.py:0.01', [0]).jobs
    with prepare(job).locked():
        states = itertools.chain([STOPPED], itertools.repeat(RUNNING))
        monkeypatch.setattr(local, 'read_run', lambda job: replace(read_run(job), is_running=next(states) == RUNNING))
        assert local.train_all([job], []) == {}
    assert 'it cannot be' in (job.folder / 'log.txt').read_text() and RunFolder(job.folder).failure() is None


def test_a_signal_reaches_the_runs_and_no_more_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('MODE', 'wait')
    plan = read('small.py', [0, 1])
    prepare(plan.jobs[0]).add_metrics(LINE)

    def interrupt() -> None:
        while not all((job.folder / 'began').exists() for job in plan.jobs[:2]):
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    with pytest.raises(Stopped, match='stopped by SIGINT; every run in progress has saved its state') as stopped:
        local.train_all(plan.jobs, ['0', '1'])
    assert stopped.value.exit_code == 130
    assert not plan.jobs[2].folder.exists() and read_run(plan.jobs[0]).state == STOPPED
