"""The command, in processes of its own: a study stopped half way, continued, and finished."""

import fcntl
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from jax_resnet.report import sections
from jax_resnet.runs.run_folder import RunFolder
from jax_resnet.studies import read
from tests.conftest import metrics
from tests.slow.processes import ROOT, printed


@pytest.mark.soak
def test_a_study_killed_half_way_ends_with_the_same_table(checkout: Path) -> None:
    """SIGKILL to the study alone: its run notices, saves and stops; the same command goes on, and does the rest."""
    environment = os.environ | {'PYTHONPATH': str(ROOT)}
    command = ['-m', 'jax_resnet', 'study', '--study=small.py', '--set=train_for=400 steps']
    first, second = read('small.py', [0], {'train_for': '400 steps'}).jobs
    with subprocess.Popen([sys.executable, *command], env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert any('started' in line for line in process.stdout)
        while not (first.folder / 'progress.json').exists():
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
    with (first.folder / 'lock').open('w') as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # until the run has stopped; then it prints its last line
    time.sleep(2)
    assert 'stopped by SIGTERM' in RunFolder(first.folder).log.read_text() and not second.folder.exists()

    out = printed(*command, cwd=checkout, PYTHONPATH=str(ROOT))
    assert '2 runs: 0 finished, 2 to train' in out and 'the study takes about ' in out
    assert 'python -m jax_resnet report runs/studies/small/' in out

    whole = RunFolder(checkout / 'whole')  # in a process like the study's, since another number of devices rounds
    train = '-m', 'jax_resnet', 'train', *first.arguments, f'--workdir={whole.path}'
    printed(*train, cwd=checkout, PYTHONPATH=str(ROOT))
    summary = whole.summary()
    assert summary is not None and metrics(first.folder) == metrics(whole.path)
    (section,) = sections.read(['runs/studies/small'])
    assert section.rows[0].mean('final_test_error') == summary['final_test_error']
    assert [len(row.finished) for row in section.rows] == [1, 1]

    assert '2 runs: 2 finished, 0 to train' in printed(*command, cwd=checkout, PYTHONPATH=str(ROOT))
