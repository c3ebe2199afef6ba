"""Runs as submitit's jobs, by its local executor, which starts processes on this machine."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from jax_resnet.errors import ConfigError
from jax_resnet.runs.run import FINISHED
from jax_resnet.runs.run_folder import RunFolder
from jax_resnet.studies import read, slurm
from jax_resnet.studies.state import describe, prepare, run_of

pytest.importorskip('submitit')


@pytest.mark.filterwarnings('ignore::ResourceWarning', 'ignore::pytest.PytestUnraisableExceptionWarning')
def test_a_run_is_a_job(checkout: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    monkeypatch.setattr(slurm, 'SECONDS_BETWEEN_CHECKS', 0.2)
    jobs = read('small.py:0.1', [0]).jobs
    submitted = slurm.submit(jobs, Path('logs'), {'timeout_min': 5}, cluster='local')
    assert slurm.wait(jobs, submitted) == {}
    assert run_of(jobs[0]).state == FINISHED
    assert f'[1/1] {jobs[0].name}: {describe(run_of(jobs[0]))}' in capsys.readouterr().out


def test_a_job_that_failed_is_named(checkout: Path, capsys: pytest.CaptureFixture) -> None:
    jobs = read('small.py', [0]).jobs
    for job in jobs:
        prepare(job)
    RunFolder(jobs[0].folder).write_failure('the loss is not finite')
    ended = SimpleNamespace(done=lambda: True, paths=SimpleNamespace(stderr='logs/1_log.err'))
    failed = slurm.wait(jobs, [ended, ended])
    assert list(failed.values()) == ['the loss is not finite', 'see logs/1_log.err']


def test_what_submitit_lacks_is_said_in_a_line(checkout: Path) -> None:
    jobs = read('small.py', [0]).jobs
    with pytest.raises(ConfigError, match='--launcher=slurm: .*slurm'):
        slurm.submit(jobs, Path('logs'), {})
    with pytest.raises(ConfigError, match='--launcher=local: .*nonsense'):
        slurm.submit(jobs, Path('logs'), {'nonsense': 1}, cluster='local')
