"""docs/runs.md: its programs send the lines of metrics.jsonl to Weights & Biases and to MLflow.

Small modules stand in for both. They have the parameters that the programs use.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PROGRAMS = dict(re.findall(r'```python title="(.*?)"\n(.*?)```', (ROOT / 'docs' / 'runs.md').read_text(), re.DOTALL))

WANDB = """
import contextlib, json

run = None

class Run:
    def log(self, data, step=None, commit=None):
        calls.append(['log', data, step])

@contextlib.contextmanager
def init(project=None, config=None, id=None, resume=None):
    global run, calls
    run, calls = Run(), [['init', project, config]]
    yield run
    run = None
    json.dump(calls, open('calls.json', 'w'))
"""

MLFLOW = """
import contextlib, json

calls = None

@contextlib.contextmanager
def start_run(run_id=None, run_name=None):
    global calls
    calls = []
    yield
    json.dump(calls, open('calls.json', 'w'))
    calls = None

def log_dict(dictionary, artifact_file):
    calls.append(['log_dict', dictionary, artifact_file])

def log_metrics(metrics, step=None):
    assert all(isinstance(value, (int, float)) for value in metrics.values()), metrics  # MLflow refuses None
    calls.append(['log_metrics', metrics, step])
"""


def run(folder: Path, cache_folder: Path, program: str) -> list[list[Any]]:
    """Runs a program of the page, with a small network and few epochs. Returns the calls of the stand-in."""
    for name in ('configs', 'jax_resnet'):
        (folder / name).symlink_to(ROOT / name)
    (folder / 'stand_ins').mkdir()
    (folder / 'stand_ins' / 'wandb.py').write_text(WANDB)
    (folder / 'stand_ins' / 'mlflow.py').write_text(MLFLOW)
    line = 'config = resnet20_digits.get_config()\n'
    assert program.count(line) == 1
    shorter = f"{line}config.model.depth, config.train_for, config.log_every = 8, '3 epochs', '1 epoch'\n"
    (folder / 'program.py').write_text(program.replace(line, shorter))
    paths = os.pathsep.join([str(folder / 'stand_ins'), os.environ.get('PYTHONPATH', '')])
    words = [sys.executable, '-W', 'ignore::ResourceWarning', 'program.py']
    env = {**os.environ, 'PYTHONPATH': paths, 'JAX_COMPILATION_CACHE_DIR': str(cache_folder / 'jax')}
    done = subprocess.run(words, cwd=folder, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert re.search(r'^epoch 3\.\d+: error train', done.stdout, re.MULTILINE)  # the progress is shown as usual
    return json.loads((folder / 'calls.json').read_text())


def lines_of(run_folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run_folder / 'metrics.jsonl').read_text().splitlines()]


def test_weights_and_biases_gets_each_line_of_metrics(tmp_path: Path, cache_folder: Path) -> None:
    (_, project, config), *logged = run(tmp_path, cache_folder, PROGRAMS['train_with_wandb.py'])
    lines = lines_of(tmp_path / 'runs' / 'wandb' / 'seed0')
    assert len(lines) == 3
    assert logged == [['log', line, line['step']] for line in lines]
    assert (project, config['model']['depth']) == ('resnets', 8)


NOT_KNOWN = """
    line = {'step': 1, 'epoch': 1.0, 'train_loss': None, 'train_error': None, 'test_loss': 0.5, 'test_error': 3.0}
    MLflowProgress(None, 1, '1 epoch').add_metrics(line)
"""
"""Added to the program, in its last `with`: a line whose training error is not known."""


def test_mlflow_gets_each_line_of_metrics_without_none(tmp_path: Path, cache_folder: Path) -> None:
    (_, config, name), *logged = run(tmp_path, cache_folder, PROGRAMS['train_with_mlflow.py'] + NOT_KNOWN)
    lines = lines_of(tmp_path / 'runs' / 'mlflow' / 'seed0')
    assert len(lines) == 3
    assert logged[:-1] == [['log_metrics', line, line['step']] for line in lines]
    assert logged[-1] == ['log_metrics', {'step': 1, 'epoch': 1.0, 'test_loss': 0.5, 'test_error': 3.0}, 1]
    assert (name, config['model']['depth']) == ('config.json', 8)
