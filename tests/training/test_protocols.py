"""Evaluation by several views, and recomputed BatchNorm statistics, compared with a calculation image by image."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh

import jax_resnet
from jax_resnet import training
from jax_resnet.config.loading import as_config
from jax_resnet.data.pictures import views
from jax_resnet.data.pictures.decoding import decode
from jax_resnet.data.pictures.views import FiveCrops, Whole
from jax_resnet.errors import ConfigError
from jax_resnet.runs.run_folder import RunFolder
from jax_resnet.training import recalibrate as recalibration
from jax_resnet.training import setup
from jax_resnet.training.setup import open_input
from jax_resnet.training.step import augmented
from tests.conftest import initial_state, small_config
from tests.training.conftest import picture_config

SCALES = (32, 64)


@pytest.fixture(scope='module')
def run(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run whose config has a protocol."""
    workdir = tmp_path_factory.mktemp('runs') / 'run'
    changes = {'pictures.protocol': 'ten_crop', 'dataset.normalization': 'pixel_mean', 'dataset.color_jitter': 0.2}
    training.train(picture_config(folder, **changes), workdir)
    return workdir


@pytest.fixture(autouse=True)
def scales(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replaces the five scales of the paper by two small ones."""
    monkeypatch.setattr(views, 'SCALES', SCALES)


def by_hand(run: Path, folder: Path, protocol: str, average: str) -> np.ndarray:
    """Returns the mean scores of each validation picture, float [n, classes]. It computes one image after another."""
    net = jax_resnet.load(run)
    mean = net.preprocess.normalize.mean if protocol == 'ten_crop' else net.preprocess.normalize.mean.mean((0, 1))
    found, apply = [], jax.jit(net.model.apply)
    for name in net.class_names:
        for path in sorted((folder / 'val' / name).iterdir()):
            image = decode(path.read_bytes())
            functions = [FiveCrops(18, 16)] if protocol == 'ten_crop' else [Whole(side) for side in SCALES]
            scores = []
            for view in [view for function in functions for view in function.views(image, 'bilinear')]:
                x = jnp.asarray(view[None] / 255.0 - mean, jnp.float32)
                for mirrored_or_not in (x, x[:, :, ::-1]):
                    logits = apply(net.variables, mirrored_or_not)[0]
                    scores.append(np.asarray(jax.nn.softmax(logits) if average == 'softmax' else logits))
            found.append(np.mean(scores, 0))
    return np.array(found)


@pytest.mark.parametrize(
    ('protocol', 'average'), [('ten_crop', 'softmax'), ('ten_crop', 'logits'), ('multi_scale', 'softmax')]
)
def test_scores_are_means_over_views_and_mirror_images(run: Path, folder: Path, protocol: str, average: str) -> None:
    scores = training.evaluate(run, protocol=protocol, average=average)
    expected = by_hand(run, folder, protocol, average)
    found = np.exp(scores.logits) if average == 'softmax' else scores.logits
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
    assert scores.labels.tolist() == [0] * 7 + [1] * 7 + [2] * 7
    assert scores.correct == (expected.argmax(1) == scores.labels).sum()


@pytest.mark.parametrize('protocol', ['center', 'ten_crop', 'multi_scale'])
@pytest.mark.parametrize(('devices', 'batch_size'), [(1, 1), (2, 9), (3, 4), (7, 100)])
def test_every_picture_is_once_in_each_pass(folder: Path, devices: int, batch_size: int, protocol: str) -> None:
    """Of the 21 pictures, the first 7 have label 0, and so on."""
    mesh = Mesh(np.array(jax.local_devices()[:devices]), ('data',))
    split = open_input(as_config(picture_config(folder))).split('validation', protocol, batch_size, mesh)
    seen = np.zeros(21, int)
    for indices, labels, images in split.batches():
        assert len(indices) == len(labels) <= len(images) and len(images) % devices == 0
        assert (labels == indices // 7).all()
        seen[indices] += 1
    assert len(split) == 21 and (seen == split.passes).all()


def test_the_summary_has_the_error_of_the_protocol(run: Path) -> None:
    summary = training.train(RunFolder(run).config(), run)
    scores = training.evaluate(run, protocol='ten_crop')
    assert (summary['protocol'], summary['protocol_test_error']) == ('ten_crop', scores.error)
    assert 'protocol_test_top5_error' not in summary  # only with more than ten classes


def test_other_sizes(run: Path, folder: Path) -> None:
    scores = training.evaluate(run, shorter_side=20, crop=20)
    assert scores.count == 21
    with pytest.raises(ConfigError, match='test_shorter_side=18: must be at least config.dataset.test_crop=20'):
        training.evaluate(run, crop=20)
    whole = training.evaluate(run).logits
    for same in (0, 16):  # the size of the mean image, which is then subtracted as in training
        np.testing.assert_array_equal(training.evaluate(run, crop=same).logits, whole)
    assert not np.array_equal(training.evaluate(run, recalibrate=20).logits, whole)
    with pytest.raises(ConfigError, match='recalibrate=-1: must be a number of training images'):
        training.evaluate(run, recalibrate=-1)
    with pytest.raises(ConfigError, match="config.pictures.protocol='corners': must be one of center, ten_crop, multi"):
        training.evaluate(run, protocol='corners')


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'average': 'logits'}, '^average=logits: has no effect with protocol=center$'),
        ({'protocol': 'multi_scale', 'crop': 320}, '^crop=320: has no effect with protocol=multi_scale$'),
    ],
)
def test_an_option_without_effect_is_an_error(run: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        training.evaluate(run, **options)


def test_protocols_are_only_for_pictures(tmp_path: Path) -> None:
    training.train(small_config(**{'train_for': '2 steps'}), tmp_path / 'digits')
    with pytest.raises(ConfigError, match="config.pictures.protocol='ten_crop': is for pictures; digits has none"):
        training.evaluate(tmp_path / 'digits', protocol='ten_crop')
    crop = training.evaluate(tmp_path / 'digits', crop=12)
    assert crop.count == 100 and crop.loss != training.evaluate(tmp_path / 'digits').loss


@pytest.mark.parametrize('data', ['pictures', 'digits'])
def test_recalibrated_statistics_are_means_over_training_images(folder: Path, tmp_path: Path, data: str) -> None:
    """Compares the first BatchNorm with means over four groups, of 16 images each, of their means and variances."""
    changes = {'batch_size': 32, 'batch_norm.group_size': 16, 'train_for': '2 steps'}
    config = picture_config(folder, **changes) if data == 'pictures' else small_config(**changes)
    whole = as_config(config)
    source, _, mesh, *_ = setup.set_up(whole)
    variables = initial_state(config).variables
    new = recalibration.recalibrated(source, source.preprocess.normalize, variables, 40, mesh)
    outputs, key = [], jax.random.key(whole.seed)
    for step, (images, draws) in zip(range(2), source.training_images(32), strict=False):
        inputs = augmented(source.augmentation, source.preprocess.normalize, key, jnp.int32(step), images, draws)
        kernel = variables['params']['stem']['conv']['kernel']
        outputs.append(
            jax.lax.conv_general_dilated(inputs, kernel, (1, 1), 'SAME', dimension_numbers=('NHWC', 'HWIO', 'NHWC'))
        )
    groups = np.concatenate(outputs).reshape(4, -1, outputs[0].shape[-1])
    stem = new['batch_stats']['stem']['norm']
    np.testing.assert_allclose(stem['mean'], groups.mean(1).mean(0), rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(stem['var'], groups.var(1).mean(0), rtol=1e-3)
    assert new['params'] is variables['params']
