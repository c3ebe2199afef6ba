"""Runs as submitit's jobs, by its local executor, which starts processes on this machine."""

import os
from pathlib import Path
from types import SimpleNamespace

import pytest
import submitit  # noqa: F401 - here, because its loggers keep the stdout of its import, and a test's is closed later

from jax_resnet.commands import command_line
from jax_resnet.errors import ConfigError
from jax_resnet.runs.run import FINISHED
from jax_resnet.runs.run_folder import RunFolder
from jax_resnet.studies import read, slurm
from jax_resnet.studies.progress import read_run

TRAIN = slurm.Train(command_line.main)


@pytest.mark.filterwarnings('ignore::ResourceWarning', 'ignore::pytest.PytestUnraisableExceptionWarning')
def test_a_run_is_a_job(checkout: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    monkeypatch.setattr(slurm, 'SECONDS_BETWEEN_CHECKS', 0.2)
    jobs = read('small.py:0.1', [0]).jobs
    executor = slurm.executor(Path('logs'), {'timeout_min': '5'}, cluster='local')
    assert slurm.train_all(jobs, executor, TRAIN) == {}
    assert read_run(jobs[0]).state == FINISHED
    assert f'[1/1] {jobs[0].name}: {read_run(jobs[0])}' in capsys.readouterr().out


def test_a_job_that_failed_is_named(checkout: Path) -> None:
    ended = SimpleNamespace(done=lambda: True, job_id='7_0', paths=SimpleNamespace(stderr='logs/1_log.err'))
    jobs = read('small.py', [0]).jobs

    def run_all(*_: object) -> list[SimpleNamespace]:
        assert [read_run(job).failure for job in jobs] == ['', '']  # not that of an earlier start
        RunFolder(jobs[0].folder).write_failure('the loss is not finite')
        return [ended, ended]

    executor = SimpleNamespace(map_array=run_all)
    RunFolder(jobs[0].folder).open(jobs[0].config)
    RunFolder(jobs[0].folder).write_failure('too little memory')
    assert list(slurm.train_all(jobs, executor, TRAIN).values()) == ['the loss is not finite', 'see logs/1_log.err']


def test_without_slurm_it_is_said_in_a_line(checkout: Path) -> None:
    with pytest.raises(ConfigError, match='--launcher=slurm: .*slurm'):
        slurm.executor(Path('logs'), {})


@pytest.fixture
def fake_slurm(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Slurm that refuses every job."""
    for name in ('srun', 'sbatch'):
        command = checkout / 'bin' / name
        command.parent.mkdir(exist_ok=True)
        command.write_text('#!/bin/sh\necho "sbatch: error: invalid partition" >&2\nexit 1\n')
        command.chmod(0o755)
    monkeypatch.setenv('PATH', f'{checkout / "bin"}:{os.environ["PATH"]}')


@pytest.mark.parametrize(
    ('name', 'text', 'message'),
    [
        ('nonsense', '1', '--slurm=nonsense=1: .*nonsense'),
        ('timeout_min', '10h', '--slurm=timeout_min=10h: Parameter "timeout_min" expected type'),
        ('slurm_setup', 'module load cuda', '--slurm=slurm_setup=module load cuda: .*list'),
    ],
)
def test_a_wrong_option_is_named(fake_slurm: None, name: str, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as error:
        slurm.executor(Path('logs'), {name: text})
    assert '\n' not in str(error.value) and not Path('logs').exists()


def test_what_slurm_refuses_is_one_line(fake_slurm: None) -> None:
    options = {
        'nodes': '2', 'gpus_per_node': '8', 'mem_gb': '16.5', 'stderr_to_stdout': 'True', 'slurm_partition': 'none',
        'slurm_setup': "['module load x']",
    }  # fmt: skip
    executor = slurm.executor(Path('logs'), options)
    with pytest.raises(ConfigError, match='^--launcher=slurm: .*invalid partition') as error:
        slurm.train_all(read('small.py', [0]).jobs, executor, TRAIN)
    assert '\n' not in str(error.value)
