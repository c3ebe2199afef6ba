"""The views that a protocol averages over, against Pillow's whole pictures."""

import numpy as np
import pytest
from PIL import Image

from jax_resnet.data.pictures import views
from jax_resnet.data.pictures.views import CentreCrop, FiveCrops, Whole


def picture(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(height * width).integers(0, 256, (height, width, 3), dtype=np.uint8)


def resized(image: np.ndarray, rows: int, columns: int, how: Image.Resampling) -> np.ndarray:
    return np.asarray(Image.fromarray(image).resize((columns, rows), how))


@pytest.mark.parametrize(('height', 'width', 'rows', 'columns'), [(30, 41, 24, 32), (41, 30, 32, 24), (24, 24, 24, 24)])
def test_five_crops_are_torchvisions(height: int, width: int, rows: int, columns: int) -> None:
    """Of the picture resized to (rows, columns): the corners, and the centre at int(round((side - crop) / 2))."""
    image = picture(height, width)
    whole = resized(image, rows, columns, Image.Resampling.BICUBIC)
    top, left = round((rows - 17) / 2.0), round((columns - 17) / 2.0)
    expected = [whole[:17, :17], whole[:17, -17:], whole[-17:, :17], whole[-17:, -17:]]
    expected.append(whole[top : top + 17, left : left + 17])
    np.testing.assert_array_equal(FiveCrops(24, 17).views(image, 'bicubic'), expected)


def test_five_crops_of_a_very_long_picture_need_no_whole_one(monkeypatch: pytest.MonkeyPatch) -> None:
    image = picture(20, 90)
    whole = FiveCrops(10, 8).views(image, 'bilinear').astype(int)
    monkeypatch.setattr(views, 'MOST_PIXELS', 100)
    assert abs(FiveCrops(10, 8).views(image, 'bilinear') - whole).max() <= 1


@pytest.mark.parametrize(
    ('height', 'width', 'rows', 'columns'),
    [
        (100, 100, 64, 64),
        (100, 124, 64, 64),  # 79.36, nearer to 64
        (100, 125, 64, 96),  # 80, as far from both: the greater
        (125, 100, 96, 64),
        (100, 200, 64, 128),
    ],
)
def test_the_whole_picture_with_its_longer_side_a_multiple_of_32(
    height: int, width: int, rows: int, columns: int
) -> None:
    image = picture(height, width)
    expected = resized(image, rows, columns, Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(Whole(64).views(image, 'bilinear'), expected[None])


def test_a_long_picture_loses_its_ends() -> None:
    image = picture(50, 301)
    expected = resized(image[:, 100:200], 64, 128, Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(Whole(64).views(image, 'bilinear')[0], expected)
    np.testing.assert_array_equal(
        Whole(64).views(image.transpose(1, 0, 2), 'bilinear')[0],
        resized(image[:, 100:200].transpose(1, 0, 2), 128, 64, Image.Resampling.BILINEAR),
    )


def test_the_views_of_each_protocol() -> None:
    assert views.evaluation_views('center', 256, 224) == [CentreCrop(256, 224)]
    assert views.evaluation_views('ten_crop', 256, 224) == [FiveCrops(256, 224)]
    assert views.evaluation_views('multi_scale', 256, 224) == [Whole(side) for side in (224, 256, 384, 480, 640)]
