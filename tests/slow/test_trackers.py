"""docs/runs.md: its programs send the lines of metrics.jsonl to Weights & Biases and to MLflow. Mocks stand in for both."""

import re
import sys
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock, call

import pytest
from ml_collections import ConfigDict

from configs import resnet20_digits
from jax_resnet.runs.run_folder import RunFolder
from tests.conftest import small_config

ROOT = Path(__file__).parents[2]
PROGRAMS = dict(re.findall(r'```python title="(.*?)"\n(.*?)```', (ROOT / 'docs' / 'runs.md').read_text(), re.DOTALL))
NOT_KNOWN = {'step': 1, 'epoch': 1.0, 'train_loss': None, 'train_error': None, 'test_loss': 0.5, 'test_error': 3.0}


def run(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[MagicMock, dict[str, Any], list[dict]]:
    """Runs the program of a tracker with a small config. Returns the mock, what the program defines, and the metrics."""
    tracker, defined = MagicMock(), {'__name__': '__main__'}
    monkeypatch.setitem(sys.modules, name, tracker)
    monkeypatch.setattr(resnet20_digits, 'get_config', lambda: ConfigDict(small_config()))
    monkeypatch.chdir(folder)
    exec(PROGRAMS[f'train_with_{name}.py'], defined)
    lines = RunFolder(folder / 'runs' / name / 'seed0').metrics()
    assert len(lines) == 3
    return tracker, defined, lines


def test_weights_and_biases_gets_each_line_of_metrics(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tracker, _, lines = run('wandb', tmp_path, monkeypatch)
    assert tracker.run.log.mock_calls == [call(line, step=line['step']) for line in lines]
    tracker.init.assert_called_once_with(project='resnets', config=small_config())
    assert 'epoch 1.92: error train' in capsys.readouterr().out  # the progress is shown as usual


def test_mlflow_gets_each_line_of_metrics_without_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tracker, defined, lines = run('mlflow', tmp_path, monkeypatch)
    assert tracker.log_metrics.mock_calls == [call(line, step=line['step']) for line in lines]
    tracker.log_dict.assert_called_once_with(small_config(), 'config.json')
    defined['MLflowProgress'](None, 1, '1 epoch').add_metrics(NOT_KNOWN)
    known = {name: value for name, value in NOT_KNOWN.items() if value is not None}
    assert tracker.log_metrics.mock_calls[-1] == call(known, step=1)
