import json
import os
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest

from jax_resnet.data import open_source
from jax_resnet.data.pictures.batches import decoded
from jax_resnet.data.pictures.records import RecordPictures, open_records
from jax_resnet.errors import ConfigError, DataError


@pytest.fixture(scope='module')
def prepared() -> Path:
    """The folder of prepared data that has a part of imagenette: 2,000 training pictures, 500 others."""
    folder = os.environ.get('TFDS_DATA_DIR')
    if not folder or not Path(folder, 'imagenette').is_dir():
        pytest.skip('TFDS_DATA_DIR names no folder with prepared imagenette')
    if open_source('imagenette', folder).count('train') != 2000:
        pytest.skip('imagenette in TFDS_DATA_DIR is not the part with 2,000 training pictures')
    return Path(folder)


@pytest.fixture
def copy(prepared: Path, tmp_path: Path) -> Path:
    """A copy of it that a test may damage: its folder of the version."""
    shutil.copytree(prepared / 'imagenette', tmp_path / 'imagenette')
    return next((tmp_path / 'imagenette').glob('*/*/dataset_info.json')).parent


def test_pictures_and_labels_of_a_prepared_data_set(prepared: Path) -> None:
    source = open_source('imagenette', str(prepared))
    assert source.class_names[:2] == ('tench', 'English springer') and len(source.class_names) == 10
    train = source.read('train')
    assert len(train) == 2000 and source.count('validation[:10%]') == 50
    assert np.bincount([train[i][1] for i in range(2000)]).tolist() == [200] * 10
    assert train[7][0].startswith(b'\xff\xd8') and train.name(7).endswith('1.0.0, train, record 7')
    again = pickle.loads(pickle.dumps(train))
    assert again[1999] == train[1999]
    named = open_source('tfds/imagenette/160px-v2', str(prepared))
    assert named.read('train')[3] == train[3] and named.class_names == source.class_names


def test_what_is_missing_or_not_readable_is_one_line(copy: Path) -> None:
    data_dir = copy.parents[2]
    with pytest.raises(DataError, match=rf'no prepared imagenet2012 in {data_dir}: give .*dataset.folder'):
        open_records('imagenet2012', data_dir)
    with pytest.raises(
        ConfigError, match='manual_dir=.*: must be empty: imagenette is read from data prepared by TFDS'
    ):
        open_source('imagenette', str(data_dir), '/nowhere')
    shutil.copytree(copy.parent, copy.parents[1] / '320px-v2')
    with pytest.raises(
        DataError, match=r'several configurations; .* one of tfds/imagenette/160px-v2, tfds/imagenette/3'
    ):
        open_records('imagenette', data_dir)
    assert open_records('imagenette/320px-v2', data_dir).count('train') == 2000
    info = json.loads((copy / 'dataset_info.json').read_text())
    (copy / 'dataset_info.json').write_text(json.dumps({**info, 'fileFormat': 'tfrecord'}))
    with pytest.raises(
        DataError, match=rf'has tfrecord files.* convert them .* --dataset_version_dir={copy} .*array_record'
    ) as error:
        open_records('imagenette/160px-v2', data_dir)
    assert '\n' not in str(error.value)
    converted = {**info, 'fileFormat': 'tfrecord', 'alternativeFileFormats': ['parquet', 'array_record']}
    (copy / 'dataset_info.json').write_text(json.dumps(converted))  # as convert_format leaves it
    assert open_records('imagenette/160px-v2', data_dir).read('train')[7][0].startswith(b'\xff\xd8')
    (copy / 'dataset_info.json').write_text('{')
    with pytest.raises(DataError, match='must be a folder of prepared TFDS data'):
        open_records('imagenette/160px-v2', data_dir)


def test_a_damaged_record_is_named(copy: Path) -> None:
    shard = next(copy.glob('*validation*00000-of*'))
    content = bytearray(shard.read_bytes())
    content[300_000:400_000] = bytes(100_000)
    shard.write_bytes(bytes(content))
    pictures = open_records('imagenette', copy.parents[2]).read('validation')
    with pytest.raises(DataError, match=r'1\.0\.0, validation, record \d+: cannot be read \(') as error:
        for index in range(len(pictures)):
            decoded(pictures, index, exif_rotation=False)
    assert '\n' not in str(error.value)


def test_a_data_set_without_one_picture_and_one_label_is_refused(copy: Path) -> None:
    features = json.loads((copy / 'features.json').read_text())
    known = features['featuresDict']['features']
    known['other'] = known['label']
    (copy / 'features.json').write_text(json.dumps(features))
    assert open_records('imagenette', copy.parents[2]).count('train') == 2000  # the supervised keys say which
    known['label'] = known.pop('other') | {'pythonClassName': known['image']['pythonClassName']}
    del known['label']
    (copy / 'features.json').write_text(json.dumps(features))
    with pytest.raises(DataError, match='must have one picture and one label per example; it has image'):
        open_records('imagenette', copy.parents[2])


@pytest.mark.parametrize('label', [-1, 10])
def test_a_picture_without_a_label_is_an_error(label: int) -> None:
    from tensorflow_datasets.proto import tf_example_pb2

    record = tf_example_pb2.Example()
    record.features.feature['image'].bytes_list.value.append(b'picture')
    record.features.feature['label'].int64_list.value.append(label)
    pictures = RecordPictures(Path('data'), 'test', 1, 'image', 'label', 10, [record.SerializeToString()])
    message = rf'^data, test, record 0: cannot be read \(its label is {label}, must be from 0 to 9\)$'
    with pytest.raises(DataError, match=message):
        decoded(pictures, 0, exif_rotation=False)


@pytest.mark.parametrize(
    ('name', 'content'),
    [
        *(('imagenette', content) for content in (b'tench\n', b'\xff\xfe', b'n01440764\n' * 10)),
        ('tfds/others', b'\xff\xfe'),
    ],
)
def test_classes_are_never_named_by_guessing(copy: Path, name: str, content: bytes) -> None:
    (copy / 'label.labels.txt').write_bytes(content)
    shutil.move(copy.parents[1], copy.parents[1].with_name(name.removeprefix('tfds/')))
    with pytest.raises(DataError) as error:
        open_source(name, str(copy.parents[2]))
    assert '\n' not in str(error.value)


def test_classes_without_known_names_have_numbers(copy: Path, caplog: pytest.LogCaptureFixture) -> None:
    (copy / 'label.labels.txt').unlink()
    with pytest.raises(DataError, match='label.labels.txt: is missing or damaged'):
        open_source('imagenette', str(copy.parents[2]))
    shutil.move(copy.parents[1], copy.parents[1].with_name('others'))
    assert open_source('tfds/others', str(copy.parents[2])).class_names == tuple('0123456789')
    assert 'label.labels.txt: has no names, so the classes have numbers' in caplog.text
