"""Gives the tests eight CPU devices, real data if it is there, and small configs."""

import logging
import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
import pytest
from jax.sharding import SingleDeviceSharding

from configs import base
from jax_resnet import training
from jax_resnet.commands import command_line
from jax_resnet.config.fields import Config
from jax_resnet.config.loading import as_config
from jax_resnet.config.network import network
from jax_resnet.data import image_shape
from jax_resnet.platform import compilation_cache, for_platform
from jax_resnet.runs.run_folder import RunFolder
from jax_resnet.training import setup, state
from jax_resnet.training.checkpoint import Checkpoints
from jax_resnet.training.state import TrainState
from jax_resnet.training.step import Program

if jax.config.jax_platforms in (None, '', 'cpu') and 'JAX_RESNET_TEST_PLATFORM' not in os.environ:
    jax.config.update('jax_platforms', 'cpu')
    jax.config.update('jax_num_cpu_devices', 8)

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # so a script starts `make test &`; tests send this signal
    signal.signal(signal.SIGINT, signal.default_int_handler)

for name in ('absl', 'asyncio'):  # as in command_line; a log record of a damaged file would keep its reader alive
    logging.getLogger(name).setLevel(logging.CRITICAL)

of_damage = pytest.mark.filterwarnings('ignore::pytest.PytestUnraisableExceptionWarning')
"""For tests of damaged checkpoints. If several arrays cannot be read, orbax raises one error and drops the others."""


@pytest.fixture(scope='session', autouse=True)
def cache_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache of decoded data and compiled programs, only for the tests. The workers of pytest-xdist share it."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if 'PYTEST_XDIST_WORKER' in os.environ else base) / 'cache'
    os.environ['XDG_CACHE_HOME'] = str(folder)
    compilation_cache.enable()  # so that each program is compiled only once for all tests
    return folder


@pytest.fixture(scope='session')
def data_dir() -> str:
    """The folder of real, prepared data. If it is missing, the test is skipped."""
    folder = os.environ.get('TFDS_DATA_DIR')
    if not folder or not Path(folder, 'cifar10').is_dir():
        pytest.skip('TFDS_DATA_DIR names no folder with prepared cifar10')
    return folder


class Ended(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


@pytest.fixture
def command(capsys: pytest.CaptureFixture) -> Callable[..., Ended]:
    """Runs a command in this process: `command('evaluate', folder, '--json')`. Its log lines are in `caplog`."""

    def call(*words: object) -> Ended:
        capsys.readouterr()
        code = command_line.main([*map(str, words)])
        return Ended(code, *capsys.readouterr())

    return call


RESNET8 = {'name': 'cifar_resnet', 'depth': 8}
SMALLEST = {
    'name': 'scaled_resnet', 'stage_sizes': (1,), 'width': 4, 'windows': (3,), 'shortcut_windows': (3,), 'parameter_limit': 0
}  # fmt: skip
"""Fields of `config.model`. The smallest network, of three convolutions, compiles in less than half of the time."""


@pytest.fixture(scope='session')
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run. A test that changes it makes a copy."""
    folder = tmp_path_factory.mktemp('finished') / 'run'
    training.train(small_config(), folder)
    return folder


def small_config(model: Mapping[str, Any] = SMALLEST, **changes: Any) -> dict[str, Any]:
    """Returns the config of a small network on part of the digits. `changes` are fields to change, by dotted name."""
    config = base.get_config()
    config.update_from_flattened_dict(
        {
            'batch_size': 32,
            'train_for': '12 steps',
            'evaluate_every': '5 steps',
            'checkpoint_every': '4 steps',
            'dataset.name': 'digits',
            'dataset.train': 'train[:200]',
            'dataset.test': 'test[:100]',
            'dataset.pad': 1,
            'dataset.flip': False,
            'model': dict(model),
            'batch_norm.group_size': 16,
            'schedule.drop_at': ('6 steps',),
            'parallel.devices': 1,
        }
    )
    config.update_from_flattened_dict(changes)
    return config.to_dict()


def whole_config(**changes: Any) -> Config:
    """Returns `small_config` as what the package itself takes."""
    return as_config(small_config(**changes))


def initial_state(config: Config | Mapping[str, Any]) -> TrainState:
    """Returns the state before the first step of a config's run."""
    return setup.set_up(as_config(config)).initial_state()


def compiled(config: Mapping[str, Any]) -> Program:
    """Returns the compiled training program of a config."""
    made = setup.set_up(as_config(config))
    return made.compile(made.training_backend())


def saved_state(folder: Path, step: int | None = None) -> TrainState:
    """Returns the state of a checkpoint in a run folder, by default of the last one, on the host."""
    config, checkpoints = RunFolder(folder).config(), Checkpoints(folder / 'checkpoints', read_only=True)
    device = jax.local_devices()[0]
    model = network(config, **for_platform(device.platform).network)
    like = state.shapes(config, model, image_shape(config.dataset))
    found, _ = checkpoints.restore(like, SingleDeviceSharding(device), step)
    checkpoints.close()
    return jax.device_get(found)


def metrics(folder: Path) -> list[dict[str, Any]]:
    """Returns the lines of metrics.jsonl without what depends on the clock."""
    clocks = ('seconds', 'images_per_second')
    return [{k: v for k, v in line.items() if k not in clocks} for line in RunFolder(folder).metrics()]


def assert_equal_trees(a: Any, b: Any) -> None:
    """Asserts that two trees have the same structure and equal numbers, to the last bit."""
    jax.tree.map(np.testing.assert_array_equal, a, b)
