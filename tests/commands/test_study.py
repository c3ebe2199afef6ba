"""The command `study`: what it lists, what counts as finished, and what it refuses."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from jax_resnet.studies import read
from tests.conftest import Ended
from tests.studies.conftest import checkout

__all__ = ['checkout']


@pytest.fixture
def study(checkout: Path, command: Callable[..., Ended]) -> Callable[..., Ended]:
    return lambda *words: command('study', *words)


def test_list_trains_nothing(study: Callable[..., Ended]) -> None:
    listed = study('--study=small.py', '--seeds=0,1', '--list').out
    job = read('small.py', [0]).jobs[0]
    assert f'  seed 0: missing; {job.folder}' in listed and '75,002 parameters' in listed
    found = json.loads(study('--study=small.py', '--list', '--json').out)
    assert (found[0]['parameters'], found[0]['seed'], found[0]['state']) == (75_002, 0, 'missing')
    assert found[0]['command'] == job.command and not Path('runs').exists()
    assert 'configs/studies/depth.py: What does depth do' in study().out


@pytest.mark.parametrize(
    ('words', 'message'),
    [
        (['--study=none.py'], '--study=none.py: no such file'),
        (['--seeds=x'], '--seeds=x: must be integers from 0, such as 0,1,2'),
        (['--set=train_for'], '--set=train_for: must be a name and a value'),
        (['--set=seed=3'], '--set=seed=3: the seeds of a study are given by --seeds=3'),
        (['--shorten=0'], 'config.shorten=0: must be an integer, at least 1'),
        (['--slurm=mem_gb=1'], '--slurm=mem_gb=1: must be given with --launcher=slurm'),
        (['--launcher=slurm', '--devices=0'], '--devices=0: must be given without --launcher=slurm'),
    ],
)  # fmt: skip
def test_bad_input_is_one_line_and_exit_2(study: Callable[..., Ended], words: list[str], message: str) -> None:
    ended = study('--study=small.py', *words)
    assert ended.code == 2 and ended.err.startswith('error: ') and message in ended.err
    assert len(ended.err.splitlines()) == 1 and not Path('runs').exists()
