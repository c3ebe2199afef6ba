"""Training on streamed pictures: runs of a small network on a small folder of pictures."""

import json
import re
import shutil
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from jax.sharding import Mesh

import jax_resnet
from jax_resnet import training
from jax_resnet.commands import predict
from jax_resnet.config.loading import as_config
from jax_resnet.data.pictures.decoding import decode
from jax_resnet.data.pictures.views import AreaCrop, CentreCrop, Crop, ScaleCrop
from jax_resnet.data.preprocessing import ColourAugmentation
from jax_resnet.errors import ConfigError, DataError, Stopped
from jax_resnet.training.progress import Progress
from jax_resnet.training.setup import open_input
from tests.conftest import assert_equal_trees, metrics
from tests.training.conftest import CLASSES
from tests.training.conftest import picture_config as config

COLOURS = {'dataset.color_jitter': 0.4, 'dataset.lighting': 0.1}
"""Of the runs here, so that they share one program."""


@pytest.fixture(scope='module')
def whole(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an uninterrupted run of 9 steps on one device."""
    workdir = tmp_path_factory.mktemp('whole') / 'run'
    training.train(config(folder, **COLOURS), workdir)
    return workdir


def variables(workdir: Path) -> Mapping[str, Any]:
    return jax_resnet.load(workdir).variables


class StopAt(Progress):
    """Sends SIGTERM to this process after step `at`."""

    at = 3

    def update(self, step: int, *others: Any) -> None:
        if step == self.at:
            signal.raise_signal(signal.SIGTERM)


def test_a_run_on_pictures_writes_the_files_of_every_run(folder: Path, whole: Path, tmp_path: Path) -> None:
    summary = json.loads((whole / 'summary.json').read_text())
    assert summary['steps'] == 9 and [line['step'] for line in metrics(whole)] == [5, 9]
    found = np.load(whole / 'predictions.npz')
    assert found['logits'].shape == (21, 3) and np.bincount(found['labels']).tolist() == [7, 7, 7]
    assert np.load(whole / 'mistakes.npz')['images'].shape[1:] == (16, 16, 3)
    net = jax_resnet.load(whole)
    assert net.image_shape == (16, 16, 3) and tuple(net.class_names) == CLASSES
    scores = training.evaluate(whole)
    np.testing.assert_allclose(scores.logits, found['logits'], rtol=1e-4, atol=1e-4)
    assert scores.error == summary['final_test_error']
    pictures = sorted((folder / 'val').rglob('*.jpg'))
    pictures = [path for name in CLASSES for path in pictures if path.parent.name == name]
    assert found['files'].tolist() == [*map(str, pictures)]
    views = [predict.read_image(path, net.image_shape, pictures=net.pictures) for path in pictures]
    np.testing.assert_allclose(net.logits(np.stack(views)), found['logits'], rtol=1e-4, atol=1e-4)
    assert training.evaluate(whole, 'validation[:50%]+train[:4]').count == 14
    shutil.copytree(folder / 'val', tmp_path / 'test')  # a folder that only has a split to evaluate
    np.testing.assert_array_equal(training.evaluate(whole, data=str(tmp_path)).logits, scores.logits)


def check_stopped_and_continued(fields: dict[str, Any], workdir: Path, whole: Path) -> None:
    with pytest.raises(Stopped):
        training.train({**fields, 'log_every': '1 step'}, workdir, progress=StopAt)
    training.train({**fields, 'pictures': {**fields['pictures'], 'threads': 3}}, workdir)
    assert metrics(workdir) == metrics(whole)
    assert_equal_trees(variables(workdir), variables(whole))


def test_a_stopped_and_continued_run_equals_an_uninterrupted_run(folder: Path, tmp_path: Path, whole: Path) -> None:
    check_stopped_and_continued(config(folder, **COLOURS), tmp_path / 'run', whole)


def test_so_does_a_run_on_two_devices_which_has_the_same_batches(folder: Path, tmp_path: Path, whole: Path) -> None:
    fields = config(folder, **COLOURS, **{'parallel.devices': 2})
    training.train(fields, tmp_path / 'whole')
    assert metrics(tmp_path / 'whole')[0]['train_loss'] == pytest.approx(metrics(whole)[0]['train_loss'], rel=1e-4)
    check_stopped_and_continued(fields, tmp_path / 'run', tmp_path / 'whole')


@pytest.mark.parametrize(
    ('fields', 'crop', 'decoding'),
    [
        ({'view': 'area', 'area': (0.5, 1.0), 'aspect_ratio': (1.0, 2.0)}, AreaCrop((0.5, 1.0), (1.0, 2.0)), ('bilinear', False)),
        ({'view': 'scale', 'shorter_side': (16, 20), 'interpolation': 'bicubic'}, ScaleCrop((16, 20), 16), ('bicubic', False)),
        ({'view': 'centre', 'exif_rotation': True}, CentreCrop(18, 16), ('bilinear', True)),
    ],
)  # fmt: skip
def test_fields_choose_the_views(folder: Path, fields: dict, crop: Crop, decoding: tuple) -> None:
    given = as_config(config(folder, **COLOURS, **{f'pictures.{name}': value for name, value in fields.items()}))
    data = open_input(given)
    batches = data._training(4)
    assert (batches.crop, (batches.interpolation, batches.exif_rotation)) == (crop, decoding)
    assert data.augmentation == ColourAugmentation(True, 0.4, 0.1)


def test_augmentation_is_a_function_of_epoch_and_index(folder: Path) -> None:
    """A picture gets the same flip and colours at any position in the batch."""
    data = open_input(as_config(config(folder, **COLOURS)))
    images = np.random.default_rng(0).integers(0, 256, (8, 16, 16, 3), dtype=np.uint8)
    draws = np.stack([np.zeros(8), np.arange(8)], 1).astype(np.uint32)
    keys = jax.vmap(lambda d: jax.random.fold_in(jax.random.fold_in(jax.random.key(0), d[0]), d[1]))
    augment, normalize = data.augmentation, data.preprocess.normalize
    views = augment(keys(draws), images, normalize)
    order = np.array([3, 1, 7, 0, 2, 6, 5, 4])
    np.testing.assert_array_equal(augment(keys(draws[order]), images[order], normalize), views[order])
    assert not np.array_equal(augment(keys(draws + np.uint32([1, 0])), images, normalize), views)


def test_the_mean_of_each_pixel_is_subtracted(folder: Path, tmp_path: Path) -> None:
    data = open_input(as_config(config(folder, **{'dataset.normalization': 'pixel_mean'})))
    images = data.split('train', 'center', 8, Mesh(jax.devices()[:1], ('data',))).images(np.arange(60))
    np.testing.assert_allclose(data.preprocess.normalize.mean, images.mean(0) / 255, atol=1e-6)


def test_progress_shows_that_devices_wait_for_pictures(
    folder: Path, tmp_path: Path, whole: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def slowly(*arguments: Any) -> np.ndarray:
        time.sleep(0.01)
        return decode(*arguments)

    monkeypatch.setattr('jax_resnet.data.pictures.batches.decode', slowly)
    training.train(config(folder, **COLOURS, **{'pictures.threads': 1}), tmp_path / 'slow')
    assert re.search(r'left, input-bound: \d+ %', capsys.readouterr().out)
    assert metrics(tmp_path / 'slow') == metrics(whole)


def test_a_loss_that_is_not_finite_ends_the_run_at_its_step(folder: Path, tmp_path: Path) -> None:
    fields = config(folder, **COLOURS, **{'schedule.learning_rate': 1e30, 'schedule.drop_at': ()})
    with pytest.raises(jax_resnet.errors.Diverged, match=r'not finite: step [1-4], epoch'):
        training.train(fields, tmp_path / 'run')


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'dataset.crop': 0}, r'config.dataset.crop=0: must be the height and width of a view'),
        (
            {'pictures.view': 'scale', 'pictures.shorter_side': (12, 20)},
            r'shorter_side=\(12, 20\): must be .* at least',
        ),
        (
            {'pictures.area': (0.9, 0.1)},
            r'config.pictures.area=\(0.9, 0.1\): must be the smallest and then the largest value',
        ),
        ({'model.num_classes': 10}, r'config.model.num_classes=10: must be 3, the classes of .*pictures0'),
        ({'dataset.name': 'digits'}, r'config.dataset.folder=.*: digits is not read from a folder of pictures'),
        ({'dataset.folder': ''}, r"config.dataset.folder='': must name a folder of pictures"),
        ({'dataset.name': 'tfds/'}, r"config.dataset.name='tfds/': must be one of cifar10.*, tfds/NAME, or package"),
    ],
)
def test_invalid_fields_are_an_error_of_one_line(
    folder: Path, tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises((ConfigError, DataError), match=message) as error:
        training.train(config(folder, **changes), tmp_path / 'run')
    assert '\n' not in str(error.value) and not (tmp_path / 'run').exists()


def test_a_picture_that_cannot_be_read_stops_before_training(folder: Path, tmp_path: Path, whole: Path) -> None:
    copy = tmp_path / 'copy'
    for path in sorted(folder.rglob('*.jpg')):
        target = copy / path.relative_to(folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    broken = copy / 'train' / 'lines' / '3.jpg'
    broken.write_bytes(broken.read_bytes()[:-200])  # its header is not damaged
    with pytest.raises(DataError, match=r'1 of 81 pictures of folder cannot be read: .*3\.jpg \('):
        training.train(config(copy, **COLOURS, **{'dataset.check': 'all'}), tmp_path / 'run')
    assert not (tmp_path / 'run').exists()
    content = (folder / 'train' / 'lines' / '3.jpg').read_bytes()
    with pytest.raises(
        DataError, match=r'lines/3\.jpg: cannot be read \(.*; step \d is saved; the same command continues'
    ):
        training.train(config(copy, **COLOURS), tmp_path / 'run')  # fails at the step that needs the picture
    broken.write_bytes(content)
    with pytest.raises(ConfigError, match=r'other pictures: 1 of another size \(train/lines/3.jpg\); .*, or remove '):
        training.train(config(copy, **COLOURS), tmp_path / 'run')
    (tmp_path / 'run' / 'pictures.npz').unlink()  # this asks for it
    training.train(config(copy, **COLOURS), tmp_path / 'run')
    assert metrics(tmp_path / 'run') == metrics(whole)
    broken.write_text('no picture')
    with pytest.raises(DataError, match=r'1 of 81 pictures of folder cannot be read: .*3\.jpg'):
        training.train(config(copy, **COLOURS), tmp_path / 'other')
    assert not (tmp_path / 'other').exists()


def test_a_run_continues_with_a_moved_folder_but_not_with_other_classes(folder: Path, tmp_path: Path) -> None:
    copy, moved = tmp_path / 'copy', tmp_path / 'moved'
    shutil.copytree(folder, copy)
    with pytest.raises(Stopped):
        training.train({**config(copy, **COLOURS), 'log_every': '1 step'}, tmp_path / 'run', progress=StopAt)
    copy.rename(moved)
    training.train(config(moved, **COLOURS), tmp_path / 'run')
    again = training.evaluate(tmp_path / 'run', data=str(folder))
    assert again.count == 21
    with pytest.raises(Stopped):
        training.train({**config(moved, **COLOURS), 'log_every': '1 step'}, tmp_path / 'other', progress=StopAt)
    for split in ('train', 'val'):
        (moved / split / 'circles').rename(moved / split / 'zigzags')
    with pytest.raises(
        DataError, match=r"other: the data must have the classes .* label 0 is 'lines', must be 'circles'$"
    ):
        training.train(config(moved, **COLOURS), tmp_path / 'other')
    with pytest.raises(
        DataError, match="folder: the network has no class 'zigzags'; classes are found by their names$"
    ):
        training.evaluate(tmp_path / 'run', data=str(moved))


def test_other_pictures_are_told_and_used_only_if_asked_for(
    folder: Path, whole: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    other = shutil.copytree(folder, tmp_path / 'other')
    (other / 'train' / 'lines' / '3.jpg').unlink()
    shutil.copy(other / 'val' / 'noise' / '0.jpg', other / 'val' / 'circles' / 'more.jpg')
    says = r'1 added \(validation/circles/more\.jpg\), 1 missing \(train/lines/3\.jpg\)'
    with pytest.raises(ConfigError, match=f'{whole}: is a run on other pictures: {says}'):  # it is finished
        training.train(config(other, **COLOURS), whole)
    with pytest.raises(ConfigError, match=f'{whole}: is a run on other pictures: {says}'):
        training.train(config(other, **COLOURS, train_for='12 steps'), tmp_path / 'longer', extend_from=whole)
    assert not (tmp_path / 'longer').exists()
    run = shutil.copytree(whole, tmp_path / 'run')
    origin = json.loads((run / 'config.json').read_text())
    origin['fields']['dataset']['folder'] = str(other)  # as if its pictures had changed
    (run / 'config.json').write_text(json.dumps(origin))
    with pytest.raises(
        ConfigError, match=r'is a run on other pictures: 1 added .*; name other data by --data, or remove'
    ):
        training.evaluate(run)
    assert training.evaluate(run, data=str(other)).count == 22
    assert 'is a run on other pictures: 1 added (validation/circles/more.jpg)' in caplog.text


def test_a_split_without_some_classes_is_logged(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    splits = {'dataset.train': 'train[:50%]', 'dataset.test': 'validation[:15]+train[:2]'}
    fields = config(folder, **splits, **{'dataset.validation': 'train', 'batch_size': 16})
    open_input(as_config(fields)).check_data()
    assert [message for message in caplog.messages if 'classes' in message] == [
        "split 'train[:50%]' of folder has only 2 of 3 classes, since the pictures are sorted by class"
    ]
