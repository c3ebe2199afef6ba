"""A run's network in new processes: loaded, and exported."""

import shutil
from pathlib import Path

import numpy as np
import pytest

import jax_resnet
from jax_resnet import training
from jax_resnet.commands import export
from jax_resnet.data import open_source
from tests.conftest import small_config
from tests.slow.processes import ROOT, printed, python


@pytest.fixture(scope='module')
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('trained') / 'run'
    training.train(small_config(train_for='3 steps'), folder)
    return folder


def test_load_needs_neither_data_nor_devices_nor_config_module(run: Path, tmp_path: Path) -> None:
    """In a new process with one device, without the data set and the configs, and with a moved run folder."""
    moved = shutil.copytree(run, tmp_path / 'moved')
    program = (
        'import dataclasses, sys, jax_resnet, numpy as np\n'
        'from jax_resnet.data import datasets\n'
        'for name, data in datasets.DATASETS.items():\n'
        '    datasets.DATASETS[name] = dataclasses.replace(data, open=None)\n'
        f'logits = jax_resnet.load({str(moved)!r}).logits(np.zeros((2, 16, 16, 1), np.uint8))\n'
        "assert logits.shape == (2, 10) and 'configs' not in sys.modules\n"
    )
    assert python('-c', program, cwd=tmp_path, PYTHONPATH=str(ROOT), JAX_NUM_CPU_DEVICES='1') == (0, '', '')


def test_an_export_runs_with_jax_and_flatbuffers_alone(run: Path, tmp_path: Path) -> None:
    trained, path = jax_resnet.load(run), tmp_path / 'net.jaxexport'
    path.write_bytes(export.serialize(trained))
    images = open_source('digits').read('test[:5]').images
    np.save(tmp_path / 'images.npy', images)
    program = (
        'import sys\n'
        "for name in ('flax', 'optax', 'orbax', 'tensorflow_datasets', 'jax_resnet'): sys.modules[name] = None\n"
        'import jax, jax.export, numpy as np\n'
        "network = jax.export.deserialize(open('net.jaxexport', 'rb').read())\n"
        "assert set(network.platforms) == {'cpu', 'cuda'}\n"
        "images = np.load('images.npy')\n"
        'assert network.call(images[:1]).shape == (1, 10)\n'
        "np.save('logits.npy', network.call(images))\n"
    )
    printed('-c', program, cwd=tmp_path)
    np.testing.assert_allclose(np.load(tmp_path / 'logits.npy'), trained.logits(images), atol=1e-5)
