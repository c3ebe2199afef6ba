"""Runs as submitit's jobs, by its local executor, which starts processes on this machine."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from jax_resnet.errors import ConfigError
from jax_resnet.runs.run_folder import RunFolder
from jax_resnet.studies import read, slurm
from jax_resnet.studies.state import FINISHED, prepare, state_of

pytest.importorskip('submitit')


@pytest.mark.filterwarnings('ignore::ResourceWarning', 'ignore::pytest.PytestUnraisableExceptionWarning')
def test_a_run_is_a_job(checkout: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    monkeypatch.setattr(slurm, 'SECONDS_BETWEEN_LOOKS', 0.2)
    runs = read('small.py:0.1', [0]).runs
    jobs = slurm.submit(runs, Path('logs'), {'timeout_min': 5}, cluster='local')
    assert slurm.wait(runs, jobs) == {}
    assert state_of(runs[0]).name == FINISHED
    assert f'[1/1] {runs[0].name}: {state_of(runs[0]).detail}' in capsys.readouterr().out


def test_a_job_that_failed_is_named(checkout: Path, capsys: pytest.CaptureFixture) -> None:
    runs = read('small.py', [0]).runs
    for run in runs:
        prepare(run)
    RunFolder(runs[0].folder).write_failure('the loss is not finite')
    ended = SimpleNamespace(done=lambda: True, paths=SimpleNamespace(stderr='logs/1_log.err'))
    failed = slurm.wait(runs, [ended, ended])
    assert list(failed.values()) == ['the loss is not finite', 'see logs/1_log.err']


def test_what_submitit_lacks_is_said_in_a_line(checkout: Path) -> None:
    runs = read('small.py', [0]).runs
    with pytest.raises(ConfigError, match='--launcher=slurm: .*slurm'):
        slurm.submit(runs, Path('logs'), {})
    with pytest.raises(ConfigError, match='--launcher=local: .*nonsense'):
        slurm.submit(runs, Path('logs'), {'nonsense': 1}, cluster='local')
