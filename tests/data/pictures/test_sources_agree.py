"""The same pictures from tars, from a folder and from TFDS give the same batches."""

import os
from pathlib import Path

import numpy as np
import pytest

from jax_resnet.data.pictures.batches import Batches
from jax_resnet.data.pictures.folder import open_folder
from jax_resnet.data.pictures.imagenet import open_tars
from jax_resnet.data.pictures.records import open_records
from jax_resnet.data.pictures.views import AreaCrop
from jax_resnet.data.sources import Parts, Pictures, PictureSource
from tests.data.pictures import unpacked


@pytest.fixture(scope='module')
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, PictureSource]:
    """120 pictures of each of Imagenette's two splits."""
    data_dir, out = os.environ.get('TFDS_DATA_DIR'), tmp_path_factory.mktemp('unpacked')
    if not data_dir or not Path(data_dir, 'imagenette').is_dir():
        pytest.skip('TFDS_DATA_DIR names no folder with prepared imagenette')
    archives = unpacked.write(Path(data_dir), out, most=120)
    return {
        'tars': open_tars('imagenet2012', out / 'tars', archives),
        'folder': open_folder('folder', out / 'folder'),
        'records': open_records('imagenette', Path(data_dir)),
    }


def read(source: PictureSource, split: str) -> Pictures:
    return source.read(f'{split}[:120]')


@pytest.mark.parametrize('split', ['train', 'validation'])
def test_tars_and_folder_have_the_same_pictures_in_the_same_order(
    sources: dict[str, PictureSource], split: str
) -> None:
    of_tars, of_folder = read(sources['tars'], split), read(sources['folder'], split)
    assert len(of_tars) == len(of_folder) == 120
    assert [*map(of_tars.__getitem__, range(120))] == [*map(of_folder.__getitem__, range(120))]
    assert sources['tars'].class_names == sources['folder'].class_names == sources['records'].class_names


@pytest.mark.parametrize('split', ['train', 'validation'])
def test_tfds_has_the_same_pictures_and_through_a_permutation_the_same_batches(
    sources: dict[str, PictureSource], split: str
) -> None:
    of_tars, of_records = read(sources['tars'], split), read(sources['records'], split)
    place = {of_records[index]: index for index in range(120)}
    assert {of_tars[index] for index in range(120)} == place.keys() and len(place) == 120
    permutation = [place[of_tars[index]] for index in range(120)]
    assert permutation != sorted(permutation)
    through = Parts([(of_records, index, index + 1) for index in permutation])
    crop = AreaCrop((0.08, 1.0), (3 / 4, 4 / 3))
    ours, theirs = (Batches(of, crop, 64, 16, 10, seed=5) for of in (of_tars, through))
    for number in range(10):
        for a, b in zip(ours[number], theirs[number], strict=True):
            np.testing.assert_array_equal(a, b)
