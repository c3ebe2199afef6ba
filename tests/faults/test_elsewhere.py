"""A run that is continued on other devices."""

import signal
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from jax_resnet import training
from jax_resnet.errors import Stopped
from jax_resnet.runs.run_folder import RunFolder
from jax_resnet.training import loop
from jax_resnet.training.checkpoints import Checkpoints
from jax_resnet.training.experiment import Experiment
from jax_resnet.training.progress import Progress
from tests.conftest import small_config


def config(devices: int) -> dict[str, Any]:
    """With a rate at which rounding does not grow: a ReLU that it switches changes a gradient by a thousandth."""
    return small_config(**{'parallel.devices': devices, 'schedule.learning_rate': 0.001})


def last_state(folder: Path) -> Any:
    experiment, checkpoints = Experiment.from_config(config(1)), Checkpoints(folder / 'checkpoints', read_only=True)
    state, _ = checkpoints.restore(12, experiment.abstract_state(), experiment.everywhere)
    return jax.device_get(state)


@pytest.mark.slow
@pytest.mark.skipif(len(jax.local_devices()) < 8, reason='needs 8 devices')
def test_begun_on_one_device_continued_on_2_4_8_and_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same sample stream; parameters and losses agree to 1e-5 after 12 steps, and every prediction's class."""
    training.train(config(1), tmp_path / 'one')
    update = Progress.update

    def stop(self: Progress, step: int, *others: Any) -> None:
        update(self, step, *others)
        if step in (2, 5, 7, 10):
            signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(loop, 'dispatch_size', lambda *_: 1)
    monkeypatch.setattr(Progress, 'update', stop)
    for devices, step in [(1, 2), (2, 5), (4, 7), (8, 10)]:
        with pytest.raises(Stopped, match=f'at step {step}, saved'):
            training.train(config(devices), tmp_path / 'moved')
    training.train(config(1), tmp_path / 'moved')

    one, moved = last_state(tmp_path / 'one'), last_state(tmp_path / 'moved')
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=0, atol=1e-5), one.params, moved.params)
    lines = [RunFolder(tmp_path / name).metrics() for name in ('one', 'moved')]
    for a, b in zip(*lines, strict=True):
        assert a['train_loss'] == pytest.approx(b['train_loss'], abs=1e-5)
        assert (a['step'], a['train_error'], a['test_error']) == (b['step'], b['train_error'], b['test_error'])
