"""The command `study`: what it lists, what counts as finished, and what it refuses."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from jax_resnet.report import sections
from jax_resnet.runs import results_folder
from jax_resnet.runs.run import Run
from jax_resnet.runs.run_folder import RunFolder
from jax_resnet.studies import read
from tests.conftest import Ended
from tests.runs.conftest import LINE, SUMMARY
from tests.studies.conftest import checkout

__all__ = ['checkout']


@pytest.fixture
def study(checkout: Path, command: Callable[..., Ended]) -> Callable[..., Ended]:
    return lambda *words: command('study', *words)


def test_list_and_dry_run_train_nothing(study: Callable[..., Ended]) -> None:
    listed = study('--study=small.py', '--seeds=0,1', '--list').out
    job = read('small.py', [0]).jobs[0]
    assert f'  seed 0: missing; {job.folder}' in listed and '75,002 parameters' in listed
    found = json.loads(study('--study=small.py', '--list', '--json').out)
    assert (found[0]['parameters'], found[0]['seed'], found[0]['state']) == (75_002, 0, 'missing')
    assert job.command in study('--study=small.py', '--seeds=0,1', '--dry-run').out and not Path('runs').exists()
    assert 'configs/studies/depth.py: What does depth do' in study().out


def test_results_count_where_it_is_asked_for(study: Callable[..., Ended]) -> None:
    """A result of the same recipe and seed lies in the checkout."""
    job = read('small.py:0.1', [0]).jobs[0]
    path = results_folder.result_path(Run(job.folder, 0, file=job.file, changes=job.changes))
    RunFolder(path).open(job.config, job.file, job.changes)
    RunFolder(path).add_metrics(LINE)
    RunFolder(path).write_summary(SUMMARY)
    assert '  seed 0: missing; ' in study('--study=small.py:0.1', '--list').out
    listed = study('--study=small.py:0.1', '--list', '--reuse-results').out
    assert f'  seed 0: finished, 5.00 % test error, 3 s, in {path}; ' in listed
    done = study('--study=small.py:0.1', '--reuse-results')
    assert done.code == 0 and '1 run: 1 finished (1 of them in results), 0 to train' in done.out
    (section,) = sections.read(['runs/studies'])
    assert section.rows[0].mean('final_test_error') == 5.0 and not job.folder.exists()


@pytest.mark.parametrize(
    ('words', 'message'),
    [
        (['--study=none.py'], '--study=none.py: no such file'),
        (['--seeds=x'], '--seeds=x: must be integers from 0, such as 0,1,2'),
        (['--set=train_for'], '--set=train_for: must be a name and a value'),
        (['--set=seed=3'], '--set=seed=3: the seeds of a study are given by --seeds=3'),
        (['--retrain', '--reuse-results'], '--retrain: must be given without --reuse-results'),
        (['--shorten=0'], 'config.shorten=0: must be an integer, at least 1'),
        (['--slurm=mem_gb=1'], '--slurm=mem_gb=1: must be given with --launcher=slurm'),
        (['--launcher=slurm', '--devices=0'], '--devices=0: must be given without --launcher=slurm'),
        (['--limit=10'], 'must have runs; it has none (left out, since they have more parameters than the limit: rate 0.1 (75,002); rate 0.01 (75,002))'),
    ],
)  # fmt: skip
def test_bad_input_is_one_line_and_exit_2(study: Callable[..., Ended], words: list[str], message: str) -> None:
    ended = study('--study=small.py', *words)
    assert ended.code == 2 and ended.err.startswith('error: ') and message in ended.err
    assert len(ended.err.splitlines()) == 1 and not Path('runs').exists()
