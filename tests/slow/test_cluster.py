"""The script of docs/cluster.md, and a study's jobs with several processes. A program on this machine replaces Slurm."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from jax_resnet.runs.run_folder import RunFolder
from tests.slow.processes import ROOT, SMALL

STAND_IN = ROOT / 'tests' / 'slow' / 'stand_in_slurm.py'


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Puts Slurm's commands on the path. Returns the folder of the jobs."""
    for name in ('sbatch', 'srun', 'scontrol', 'sacct'):
        command = tmp_path / 'bin' / name
        command.parent.mkdir(exist_ok=True)
        command.write_text(f'#!/bin/sh\nexec {sys.executable} {STAND_IN} {name} "$@"\n')
        command.chmod(0o755)
    (tmp_path / 'jobs').mkdir()
    monkeypatch.setenv('PATH', f'{tmp_path / "bin"}:{os.environ["PATH"]}')
    monkeypatch.setenv('STAND_IN_SLURM', str(tmp_path / 'jobs'))
    monkeypatch.setenv('JAX_PLATFORMS', 'cpu')
    monkeypatch.setenv('JAX_NUM_CPU_DEVICES', '1')
    yield tmp_path / 'jobs'
    for task in tmp_path.glob('jobs/*/task*'):
        try:
            os.kill(int(task.read_text()), signal.SIGKILL)
        except ProcessLookupError:
            continue


def wait_for(path: Path, text: str = '', seconds: float = 150.0) -> None:
    end = time.monotonic() + seconds
    while not path.exists() or text not in path.read_text():
        assert time.monotonic() < end, path.read_text() if path.exists() else path
        time.sleep(0.1)


@pytest.mark.soak
def test_the_documented_script_is_requeued_and_finishes(slurm: Path, tmp_path: Path) -> None:
    (script,) = re.findall(r'```bash\n(.*?)```', (ROOT / 'docs' / 'cluster.md').read_text(), re.DOTALL)
    begin = f'cd {ROOT}\nexec >> {tmp_path}/log 2>&1\n'
    changes = {
        '--ntasks-per-node=8': '--ntasks-per-node=1',
        '. .venv/bin/activate\n': begin,
        'python main.py': f'{sys.executable} main.py',
        '--config=configs/goyal_imagenet.py:4096 --config.dataset.manual_dir=DIR': ' '.join(
            [*(f"'{word}'" for word in SMALL), '--config.train_for="120 steps"', f'--workdir={tmp_path / "run"}']
        ),
    }
    for old, new in changes.items():
        assert script.count(old) == 1, old
        script = script.replace(old, new)
    (tmp_path / 'train.sh').write_text(script)
    output = subprocess.run(['sbatch', tmp_path / 'train.sh'], capture_output=True, text=True, check=True).stdout
    number = output.split()[-1]
    wait_for(tmp_path / 'log', 'step 3')
    os.kill(int((slurm / number / 'task1').read_text()), signal.SIGTERM)
    wait_for(slurm / number / 'ended0')
    log = (tmp_path / 'log').read_text()
    assert 'stopped by SIGTERM at step ' in log and 'continued from step ' in log
    assert ' in 2 processes' in log
    assert RunFolder(tmp_path / 'run').summary() is not None
    steps = [json.loads(line)['step'] for line in (tmp_path / 'run' / 'metrics.jsonl').read_text().splitlines()]
    assert steps == list(range(10, 121, 10))


@pytest.mark.soak
@pytest.mark.filterwarnings('ignore::ResourceWarning', 'ignore::pytest.PytestUnraisableExceptionWarning')
def test_a_run_of_a_study_on_several_nodes(slurm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.studies.conftest import STUDY

    (tmp_path / 'configs').symlink_to(ROOT / 'configs')
    (tmp_path / 'small.py').write_text(STUDY.replace("'parallel.devices': 1,", ''))
    environment = {**os.environ, 'PYTHONPATH': str(ROOT)}
    command = [
        sys.executable,
        '-m',
        'jax_resnet',
        'study',
        '--study=small.py:0.1',
        '--launcher=slurm',
        '--slurm=nodes=2',
    ]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done
    (summary,) = tmp_path.glob('runs/**/summary.json')
    assert json.loads(summary.read_text())['device'].endswith(' in 2 processes')
