import hashlib
import logging
from pathlib import Path

import numpy as np
import pytest

from jax_resnet import data
from jax_resnet.config.fields import Config, Dataset
from jax_resnet.data import cifar
from jax_resnet.data.datasets import located
from jax_resnet.data.sources import Splits
from jax_resnet.errors import ConfigError, DataError
from tests.data.test_cifar import digest

ROOT = Path(__file__).parents[2]


def test_digits() -> None:
    source = data.open_source('digits')
    train, test = source.read('train'), source.read('test')
    assert (source.count('train'), source.count('test')) == (len(train), len(test)) == (1437, 360)
    assert train.images.shape == (1437, 16, 16, 1) and train.images.dtype == np.uint8 and train.images.max() == 255
    assert (np.bincount(test.labels) >= 34).all() and (np.bincount(test.labels) <= 38).all()  # stratified
    digests = [hashlib.sha256(each.images.tobytes() + each.labels.tobytes()).hexdigest()[:16] for each in (train, test)]
    assert digests == ['324dddc0d7c2af4b', 'ada5ef88dfa547dc']


def test_parts_of_splits() -> None:
    source = data.open_source('digits')
    both = source.read('train[100:200]+test')
    assert len(both) == source.count('train[100:200]+test') == 100 + 360
    np.testing.assert_array_equal(both.images[:100], source.read('train').images[100:200])
    assert source.shared('train[:100]+test[:10]', 'train[90:200]+test') == 20


@pytest.mark.parametrize(
    'spec',
    [
        'train', 'train[5:]', 'train[:-5]', 'train[-20:-10]', 'train[:15%]', 'train[33%:67%]', 'train[-7%:]',
        'train[:50%]+test[1:2]+train', 'test[99%:]', 'train + test',
    ],
)  # fmt: skip
def test_splits_mean_what_they_mean_in_tfds(spec: str) -> None:
    import tensorflow_datasets as tfds

    sizes = {'train': 1437, 'test': 250}
    infos = {
        split: tfds.core.SplitInfo(name=split, shard_lengths=[size], num_bytes=0, filename_template=None)
        for split, size in sizes.items()
    }
    parts = tfds.core.ReadInstruction.from_spec(spec).to_absolute(infos)
    expected = [
        (part.splitname, part.from_ or 0, sizes[part.splitname] if part.to is None else part.to) for part in parts
    ]
    assert Splits('data', (), sizes).ranges(spec) == expected


def test_a_part_from_the_end_that_is_less_than_an_example_is_empty() -> None:
    with pytest.raises(DataError, match='has a part without examples'):
        Splits('data', (), {'train': 40}).ranges('train[-1%:]')


@pytest.mark.parametrize('spec', ['trian', 'train[:2000]', 'train[5', 'train[9:3]+test', ''])
def test_a_wrong_split_is_one_line_that_names_it(spec: str) -> None:
    with pytest.raises(DataError, match='of digits') as error:
        data.open_source('digits').count(spec)
    assert repr(spec) in str(error.value) and '\n' not in str(error.value)


def test_an_unknown_data_set_lists_the_known() -> None:
    with pytest.raises(
        ConfigError, match="config.dataset.name='svhn': must be one of cifar10, .*, folder, tfds/NAME, or package"
    ):
        data.open_source('svhn')


def test_missing_data_without_a_network_is_told_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cifar, 'HOST', 'http://127.0.0.1:9/')
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    monkeypatch.setenv('TFDS_DATA_DIR', str(tmp_path))
    ways = '--config.dataset.manual_dir.*--config.dataset.data_dir.*resnet20_digits'
    with pytest.raises(
        DataError, match=f'no prepared cifar10 in {tmp_path}, and http://127.*tar.gz cannot be .*{ways}'
    ):
        data.open_source('cifar10').read('test')
    assert not (tmp_path / 'cache').exists()


def test_real_cifar10(data_dir: str, caplog: pytest.LogCaptureFixture) -> None:
    source = data.open_source('cifar10', data_dir)
    assert source.image_shape == (32, 32, 3)
    assert source.class_names[:3] == ('airplane', 'automobile', 'bird')
    test = source.read('test')
    caplog.clear()
    with caplog.at_level(logging.INFO):
        again = data.open_source('cifar10', data_dir).read('test[:100]')
    assert not caplog.text  # read from the cache
    np.testing.assert_array_equal(again.images, test.images[:100])


@pytest.mark.parametrize('name', ['cifar10', pytest.param('cifar100', marks=pytest.mark.soak)])
def test_the_archives_must_have_what_tfds_has(name: str, data_dir: str) -> None:
    source = data.open_source(name, data_dir)
    assert {split: digest(source.read(split)) for split in source.sizes} == cifar.CIFAR[name].digests


def test_prepared_data_that_is_damaged_is_named(data_dir: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    there = next(Path(data_dir, 'cifar10').iterdir())
    here = tmp_path / 'cifar10' / there.name
    here.mkdir(parents=True)
    for file in there.iterdir():
        (here / file.name).symlink_to(file)
    first = here / 'cifar10-train.array_record-00000-of-00008'
    content = bytearray(first.read_bytes())
    first.unlink()
    content[100_000:105_000] = bytes(5000)
    first.write_bytes(content)
    with pytest.raises(DataError, match=rf'{here}, train, record \d+: cannot be read') as error:
        data.open_source('cifar10', str(tmp_path)).read('test')
    assert '\n' not in str(error.value)


def test_data_that_has_moved(tmp_path: Path) -> None:
    def folders(name: str, data: str | None, **given: str) -> tuple[str | None, ...]:
        dataset = located(Config(dataset=Dataset(name=name, **given)), data).dataset
        return dataset.data_dir, dataset.manual_dir, dataset.folder

    here = str(tmp_path)
    assert folders('imagenet2012', None, manual_dir='/old') == (None, '/old', None)
    assert folders('imagenet2012', here, manual_dir='/old') == (None, None, here)
    (tmp_path / 'imagenet2012').mkdir()
    assert folders('imagenet2012', here, manual_dir='/old') == (here, None, None)
    (tmp_path / 'ILSVRC2012_img_val.tar').touch()
    assert folders('imagenet2012', here) == (None, here, None)
    (tmp_path / 'ILSVRC2012_img_train.tar').touch()
    assert folders('imagenet2012', here, manual_dir='/old') == folders('imagenet2012', here) == (None, here, None)
    (tmp_path / 'ILSVRC2012_img_train.tar').unlink()
    (tmp_path / 'ILSVRC2012_img_val.tar').unlink()
    assert folders('folder', here, folder='/old') == (None, None, here)
    assert folders('imagenet2012', 'tfds/flowers', folder='/old') == (None, None, None)
    assert folders('cifar10', here, data_dir='/old', manual_dir='/archive') == (here, '/archive', None)
    with pytest.raises(
        ConfigError, match='--data=mnist: must be the name of a data set; digits is not read from a fol'
    ):
        folders('digits', 'mnist')
