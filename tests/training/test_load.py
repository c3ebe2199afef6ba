"""`load`, and the commands that use it, with a run of a small network."""

import copy
import json
import pickle
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

import jax_resnet
from jax_resnet import training
from jax_resnet.data import open_source
from jax_resnet.errors import ConfigError, DataError
from jax_resnet.runs import weights
from jax_resnet.runs.run_folder import RunFolder
from jax_resnet.training.load import flat
from tests.conftest import Ended, small_config

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope='module')
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('trained') / 'run'
    training.train(small_config(**{'parallel.devices': min(2, len(jax.local_devices()))}), folder)
    return folder


def test_load_gives_the_network_of_the_run(run: Path) -> None:
    trained = jax_resnet.load(run)
    test = open_source('digits').read('test[:100]')
    predictions = np.load(run / 'predictions.npz')
    np.testing.assert_allclose(trained.logits(test.images), predictions['logits'], atol=1e-4)
    summary = json.loads((run / 'summary.json').read_text())
    assert (np.asarray(trained.logits(test.images)).argmax(1) == test.labels).sum() == summary['test_correct']
    assert trained.class_names == tuple('0123456789') and trained.image_shape == (16, 16, 1)
    np.testing.assert_allclose(trained.probabilities(test.images[:3]).sum(1), 1, rtol=1e-6)
    found = trained.features(test.images[:3])
    assert set(found) == {'stem', 'stage1', 'pooled'} and found['pooled'].shape == (3, found['stage1'].shape[-1])
    assert 'unit1' in trained.variables['params']['stage1'] and not trained.model.stacked
    x = trained.preprocess(jnp.asarray(test.images[:2]))
    jax.jvp(lambda x: trained.model.apply(trained.variables, x), (x,), (x,))  # forward mode works, too


@pytest.mark.parametrize(
    ('dtype', 'shape'),
    [(np.float32, (2, 16, 16, 1)), (np.int32, (2, 16, 16, 1)), (np.uint8, (16, 16, 1)), (np.uint8, (2, 16, 16, 3))],
)
def test_images_of_another_dtype_or_shape_are_an_error(run: Path, dtype: type, shape: tuple[int, ...]) -> None:
    trained = jax_resnet.load(run)
    for function in (trained.logits, trained.probabilities, trained.features):
        with pytest.raises(ConfigError, match=r'images: must be uint8 \[batch, 16, 16, 1\], 0 to 255; got') as error:
            function(np.zeros(shape, dtype))
        assert '\n' not in str(error.value)


def test_logits_that_are_not_finite_give_no_result(run: Path, tmp_path: Path, command: Callable[..., Ended]) -> None:
    trained = jax_resnet.load(run)
    arrays = flat(trained.variables)
    arrays |= {name: np.full_like(array, 3e38) for name, array in arrays.items() if 'head' in name}
    about = RunFolder(run).preprocessing()
    weights.write(tmp_path / 'large.safetensors', arrays, RunFolder(run).origin(), about)
    Image.new('L', (16, 16)).save(tmp_path / 'image.png')
    for name, images, count in (('evaluate', [], 100), ('predict', [tmp_path / 'image.png'], 1)):
        code, out, err = command(name, tmp_path / 'large.safetensors', *images)
        expected = f'large.safetensors: the logits of {count} of {count} examples are infinite or NaN'
        assert code == 2 and out == '' and expected in err and len(err.splitlines()) == 1


def test_load_does_not_depend_on_options_of_jax(run: Path) -> None:
    with jax.enable_x64(True):
        trained = jax_resnet.load(run)
    assert {x.dtype.name for x in jax.tree.leaves(trained.variables)} == {'float32'}


def test_a_network_that_has_predicted_can_be_copied_and_has_a_short_repr(run: Path) -> None:
    trained, images = jax_resnet.load(run), np.zeros((2, 16, 16, 1), np.uint8)
    expected = trained.logits(images)
    for copied in (pickle.loads(pickle.dumps(trained)), copy.deepcopy(trained)):
        np.testing.assert_array_equal(copied.logits(images), expected)
    assert re.fullmatch(r'Trained\([\d,]+ parameters, images of 16 x 16 x 1, 10 classes\)', repr(trained))
    assert repr(training.evaluate(run, 'test[:20]')).startswith('Scores(20 examples, 10 classes, error ')


def test_an_empty_batch_has_no_logits(run: Path) -> None:
    trained, images = jax_resnet.load(run), np.zeros((0, 16, 16, 1), np.uint8)
    assert trained.probabilities(images).shape == (0, 10)
    assert {len(array) for array in trained.features(images).values()} == {0}


def test_weights_of_bfloat16_are_read_and_two_layouts_are_not(run: Path, tmp_path: Path) -> None:
    arrays, config = flat(jax_resnet.load(run).variables), RunFolder(run).config()
    weights.write(tmp_path / 'half.safetensors', {name: x.astype(jnp.bfloat16) for name, x in arrays.items()})
    loaded = jax_resnet.load(tmp_path / 'half.safetensors', config)
    assert {x.dtype.name for x in jax.tree.leaves(loaded.variables)} == {'float32'}
    both = {f'params/stage1/{unit}/scale': np.ones((1, 4), np.float32) for unit in ('rest', 'unit2')}
    weights.write(tmp_path / 'both.safetensors', arrays | both)
    with pytest.raises(DataError, match='both.safetensors: a stage has both rest, which is stacked, and unit2'):
        jax_resnet.load(tmp_path / 'both.safetensors', config)


def test_load_names_what_is_missing(run: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match='must be a run folder; it has no config.json'):
        jax_resnet.load(tmp_path)
    shutil.copy(run / 'config.json', tmp_path)
    with pytest.raises(ConfigError, match='has no checkpoint yet'):
        jax_resnet.load(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ['config.json']


def test_evaluate_does_not_disturb_a_run_in_progress(run: Path, tmp_path: Path) -> None:
    """An incomplete checkpoint has a temporary name. A process that only reads must not remove it."""
    copy = shutil.copytree(run, tmp_path / 'copy')
    incomplete = copy / 'checkpoints' / '16.orbax-checkpoint-tmp'
    incomplete.mkdir()
    training.evaluate(copy, 'test[:20]')
    assert incomplete.is_dir()
