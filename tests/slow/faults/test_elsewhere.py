"""A run that continues on other numbers of devices."""

import signal
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from jax_resnet import training
from jax_resnet.errors import Stopped
from jax_resnet.runs.run_folder import RunFolder
from jax_resnet.training.progress import Progress
from tests.conftest import saved_state, small_config
from tests.training.conftest import loop


def config(devices: int) -> dict[str, Any]:
    """Returns a config with a small learning rate, so that differences by rounding do not grow."""
    return small_config(**{'parallel.devices': devices, 'schedule.learning_rate': 0.001})


@pytest.mark.soak
@pytest.mark.skipif(len(jax.local_devices()) < 8, reason='needs 8 devices')
def test_a_run_continues_on_2_4_8_devices_and_on_one_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After 12 steps, parameters and losses agree to 1e-5 with those of one device. All errors are equal."""
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

    one, moved = saved_state(tmp_path / 'one'), saved_state(tmp_path / 'moved')
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=0, atol=1e-5), one.params, moved.params)
    lines = [RunFolder(tmp_path / name).metrics() for name in ('one', 'moved')]
    for a, b in zip(*lines, strict=True):
        assert a['train_loss'] == pytest.approx(b['train_loss'], abs=1e-5)
        assert (a['step'], a['train_error'], a['test_error']) == (b['step'], b['train_error'], b['test_error'])
