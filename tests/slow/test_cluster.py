"""The script of docs/cluster.md. Small programs on this machine replace Slurm's."""

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from jax_resnet.runs.run_folder import RunFolder
from tests.conftest import metrics
from tests.slow.processes import ROOT, SMALL

SRUN = """#!/bin/sh
# Runs a command as the two tasks of a job, each on a node of its own. Ends with the code of one that failed.
shift  # --cpus-per-task
for rank in 0 1; do
    SLURM_PROCID=$rank SLURM_LOCALID=0 SLURM_GTIDS=$rank "$@" &
    echo $! > FOLDER/task$rank
done
code=0
for rank in 0 1; do wait "$(cat FOLDER/task$rank)" || code=$?; done
exit $code
"""
SCONTROL = """#!/bin/sh
echo "$@" > FOLDER/requeued
"""
JOB = {
    'SLURM_JOB_ID': str(os.getpid()), 'SLURM_CPUS_PER_TASK': '1', 'SLURM_STEP_ID': '0', 'SLURM_STEP_NUM_TASKS': '2',
    'SLURM_STEP_NODELIST': 'localhost', 'JAX_PLATFORMS': 'cpu', 'JAX_NUM_CPU_DEVICES': '1',
}  # fmt: skip


@pytest.mark.soak
def test_the_documented_script_is_requeued_and_finishes(tmp_path: Path) -> None:
    for name, program in (('srun', SRUN), ('scontrol', SCONTROL)):
        (tmp_path / 'bin').mkdir(exist_ok=True)
        (tmp_path / 'bin' / name).write_text(program.replace('FOLDER', str(tmp_path)))
        (tmp_path / 'bin' / name).chmod(0o755)
    (script,) = re.findall(r'```bash\n(.*?)```', (ROOT / 'docs' / 'cluster.md').read_text(), re.DOTALL)
    words = [*SMALL, '--config.train_for=120 steps', f'--workdir={tmp_path / "run"}']
    changes = {
        '. .venv/bin/activate\n': f'cd {ROOT}\n',
        'python main.py': f'{sys.executable} main.py',
        '--config=configs/goyal_imagenet.py:4096 --config.dataset.manual_dir=DIR': shlex.join(words),
    }
    for old, new in changes.items():
        assert script.count(old) == 1, old
        script = script.replace(old, new)
    environment = os.environ | JOB | {'PATH': f'{tmp_path / "bin"}:{os.environ["PATH"]}'}
    with (tmp_path / 'log').open('w') as log:
        process = subprocess.Popen(['bash', '-c', script], env=environment, stdout=log, stderr=log)
        end = time.monotonic() + 150
        while '\nstep 3' not in (tmp_path / 'log').read_text():
            assert process.poll() is None and time.monotonic() < end, (tmp_path / 'log').read_text()
            time.sleep(0.1)
        os.kill(int((tmp_path / 'task1').read_text()), signal.SIGTERM)
        assert process.wait() == 128 + signal.SIGTERM
        assert (tmp_path / 'requeued').read_text() == f'requeue {os.getpid()}\n'
        again = subprocess.run(
            ['bash', '-c', script], env=environment | {'SLURM_RESTART_COUNT': '1'}, stdout=log, stderr=log
        )
    printed = (tmp_path / 'log').read_text()
    assert again.returncode == 0, printed
    assert 'stopped by SIGTERM at step ' in printed and 'continued from step ' in printed
    assert ' in 2 processes' in printed
    assert RunFolder(tmp_path / 'run').summary() is not None
    assert [line['step'] for line in metrics(tmp_path / 'run')] == list(range(10, 121, 10))
