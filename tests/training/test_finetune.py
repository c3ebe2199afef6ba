"""Fine-tuning by its config, with torchvision's names and a new head: a stopped run, and the head's learning rate."""

import contextlib
import importlib
import io
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from PIL import Image

import jax_resnet
from jax_resnet import models, training
from jax_resnet.config.loading import as_config
from jax_resnet.errors import ConfigError, Stopped
from jax_resnet.runs import weights
from jax_resnet.training import setup
from jax_resnet.training.begin import begin_from
from tests.conftest import assert_equal_trees, compiled, initial_state
from tests.slow.test_timm import random_tensors
from tests.training.test_streamed import StopAt, lines


@pytest.fixture(scope='module')
def given(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with random weights of a ResNet-18, by torchvision's names, and with 200 pictures of 4 classes."""
    root, rng = tmp_path_factory.mktemp('given'), np.random.default_rng(0)
    weights.write(root / 'theirs.safetensors', random_tensors('resnet18'))
    for label in range(4):
        folder = root / 'pictures' / f'class{label}'
        folder.mkdir(parents=True)
        for i in range(50):
            image = rng.integers(0, 100 + 50 * label, (72, 80, 3), dtype=np.uint8)
            Image.fromarray(image).save(folder / f'{i}.jpg')
    return root


def config(given: Path, **changes: Any) -> dict[str, Any]:
    """Returns the config with a smaller network and a shorter run."""
    config = importlib.import_module('configs.finetune_resnet50_folder').get_config()
    smaller = {
        'batch_size': 16, 'train_for': '6 steps', 'log_every': '1 step', 'parallel.devices': 1,
        'init_from': str(given / 'theirs.safetensors'), 'dataset.folder': str(given / 'pictures'),
        'dataset.crop': 64, 'pictures.test_shorter_side': 72, 'model.depth': 18, 'model.v1_5': False,
        'model.num_classes': 4,
    }  # fmt: skip
    config.update_from_flattened_dict({**smaller, **changes})
    return config.to_dict()


@pytest.mark.soak
def test_a_stopped_and_continued_run_ends_with_the_same_bits(given: Path, tmp_path: Path) -> None:
    output = io.StringIO()
    with contextlib.redirect_stdout(output), pytest.raises(Stopped):
        training.train(config(given), tmp_path / 'run', progress=StopAt)
    line = 'with a new head; it does not name its network; shortcut B, order original, units basic are taken from'
    assert line in output.getvalue()
    source = given / 'theirs.safetensors'
    source.rename(given / 'gone')  # a run that continues does not need this file
    try:
        training.train(config(given), tmp_path / 'run')
    finally:
        (given / 'gone').rename(source)
    training.train(config(given), tmp_path / 'whole')
    assert lines(tmp_path / 'run') == lines(tmp_path / 'whole')
    whole = jax_resnet.load(tmp_path / 'whole')
    assert_equal_trees(jax_resnet.load(tmp_path / 'run').variables, whole.variables)
    assert whole.class_names == ('class0', 'class1', 'class2', 'class3')
    assert training.evaluate(tmp_path / 'whole').count == 40


@pytest.mark.soak
def test_the_body_comes_from_the_file_and_the_head_learns_faster(given: Path) -> None:
    """With a head factor of 10, one step changes the head ten times as much, and other parameters as much as with 1."""
    tensors = weights.read(given / 'theirs.safetensors').arrays
    changes = {}
    for factor in (1.0, 10.0):
        fields = config(given, **{'train_for': '1 step', 'schedule.head_factor': factor})
        model = setup.set_up(as_config(fields)).model
        first, _ = begin_from(str(given / 'theirs.safetensors'), initial_state(fields), model)
        theirs = models.from_pytorch(tensors)['params']
        assert_equal_trees(models.unstack(first.variables)['params']['stage4'], theirs['stage4'])
        assert first.params['head']['kernel'].shape == (512, 4)
        before = jax.device_get(first.params)  # the step donates its buffers
        program = compiled(fields)
        with contextlib.closing(program):
            after = program(first, 1)
        changes[factor] = jax.tree.map(lambda a, b: np.asarray(a) - b, after.params, before)
    heads = {factor: change.pop('head') for factor, change in changes.items()}
    assert_equal_trees(changes[1.0], changes[10.0])
    np.testing.assert_allclose(heads[10.0]['kernel'], 10 * heads[1.0]['kernel'], rtol=1e-3, atol=1e-6)
    assert np.abs(heads[1.0]['kernel']).max() > 1e-4


def test_missing_weights_are_an_error_of_one_line(given: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    message = r"^config.init_from='resnet50.safetensors': no such file or run folder$"
    with pytest.raises(ConfigError, match=message):
        training.train(config(given, init_from='resnet50.safetensors'), tmp_path / 'run')
    assert not (tmp_path / 'run').exists()  # so that the corrected command can use this folder
