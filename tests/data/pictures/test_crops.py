import math
import random

import numpy as np
import pytest
from PIL import Image

from jax_resnet.data.pictures.views import AreaCrop, Box, CentreCrop, ScaleCrop, resize

SIZES = [(160, 160), (375, 500), (500, 333), (90, 1000), (1000, 90), (1, 1), (3, 2000)]


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    """As smooth as photographs are."""
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 256, (max(1, height // 9), max(1, width // 7), 3), dtype=np.uint8))
    return np.array(small.resize((width, height), Image.Resampling.BICUBIC))


def assert_alike(found: np.ndarray, wanted: np.ndarray) -> None:
    """Within a grey level; two in one value of a thousand, for Pillow rounds between its two passes in either order."""
    difference = np.abs(found.astype(int) - wanted)
    assert difference.max() <= 2 and (difference > 1).mean() < 1e-3


def resized(image: np.ndarray, shorter_side: int, interpolation: str) -> Image.Image:
    """The whole picture, resized by Pillow as torchvision's Resize has it."""
    height, width = image.shape[:2]
    scale = shorter_side / min(height, width)
    size = [shorter_side if side == min(height, width) else int(side * scale) for side in (width, height)]
    return Image.fromarray(image).resize((size[0], size[1]), Image.Resampling[interpolation.upper()])


@pytest.mark.parametrize('interpolation', ['bilinear', 'bicubic'])
@pytest.mark.parametrize(('height', 'width'), [(160, 160), (375, 500), (500, 333)])
def test_the_central_crop_is_the_one_of_pillow_and_torchvision(height: int, width: int, interpolation: str) -> None:
    image = picture(height, width)
    for shorter_side, size in ((256, 224), (144, 128), (256, 256), (225, 224)):
        whole = resized(image, shorter_side, interpolation)
        left, top = round((whole.width - size) / 2.0), round((whole.height - size) / 2.0)
        wanted = np.asarray(whole.crop((left, top, left + size, top + size)), int)
        found = resize(image, CentreCrop(shorter_side, size)(height, width), size, size, interpolation)
        assert_alike(found, wanted)


@pytest.mark.parametrize('interpolation', ['bilinear', 'bicubic'])
def test_a_scaled_crop_is_a_part_of_the_resized_picture(interpolation: str) -> None:
    image = picture(375, 500)
    for numbers in ((0.0, 0.0, 0.0), (0.999, 0.999, 0.999), (0.31, 0.52, 0.77)):
        shorter_side = 256 + int(numbers[0] * 225)
        whole = resized(image, shorter_side, interpolation)
        top, left = (int(n * (side - 223)) for n, side in zip(numbers[1:], (whole.height, whole.width), strict=True))
        wanted = np.asarray(whole.crop((left, top, left + 224, top + 224)), int)
        found = resize(image, ScaleCrop((256, 480), 224)(375, 500, numbers), 224, 224, interpolation)
        assert_alike(found, wanted)


def test_the_scale_and_the_position_are_uniform() -> None:
    rng, crop = np.random.default_rng(0), ScaleCrop((256, 480), 224)
    sides, positions = [], []
    for numbers in rng.random((20_000, 3)):
        window = crop(300, 300, numbers)
        side = round(224 * 300 / (window.right - window.left))
        sides.append(side)
        positions.append(window.left / 300 * side)
        assert 0 <= window.left < window.right <= 300 and 0 <= window.top < window.bottom <= 300
    counts = np.bincount(sides)[256:481]
    assert len(counts) == 225 and sum(counts) == 20_000
    assert (counts > 45).all() and (counts < 140).all()  # 89 are expected
    of_256 = [position for side, position in zip(sides, positions, strict=True) if side == 256]
    assert {round(position) for position in of_256} <= set(range(33))


def of_torchvision(height: int, width: int, area: tuple, ratio: tuple, draw: random.Random) -> tuple:
    """RandomResizedCrop.get_params of torchvision, written out: top, left, rows, columns."""
    for _ in range(10):
        target = height * width * draw.uniform(*area)
        aspect = math.exp(draw.uniform(math.log(ratio[0]), math.log(ratio[1])))
        w, h = round(math.sqrt(target * aspect)), round(math.sqrt(target / aspect))
        if 0 < w <= width and 0 < h <= height:
            return draw.randint(0, height - h), draw.randint(0, width - w), h, w
    w, h = width, height
    if width / height < min(ratio):
        h = round(w / min(ratio))
    elif width / height > max(ratio):
        w = round(h * max(ratio))
    return (height - h) // 2, (width - w) // 2, h, w


@pytest.mark.parametrize(('height', 'width'), [(160, 160), (375, 500), (90, 1000), (1000, 90)])
def test_area_and_ratio_are_distributed_as_torchvisions(height: int, width: int) -> None:
    """Deciles of area, ratio, top and left, over 20,000 crops, agree within what chance explains."""
    area, ratio, count = (0.08, 1.0), (3 / 4, 4 / 3), 20_000
    draw, rng = random.Random(1), np.random.default_rng(1)
    theirs = np.array([of_torchvision(height, width, area, ratio, draw) for _ in range(count)], float)
    windows = [AreaCrop(area, ratio)(height, width, list(numbers)) for numbers in rng.random((count, 24))]
    ours = np.array([(w.top, w.left, w.bottom - w.top, w.right - w.left) for w in windows])
    assert all(window.is_cut for window in windows)

    def measures(crops: np.ndarray) -> np.ndarray:
        top, left, rows, columns = crops.T
        return np.stack([rows * columns / (height * width), columns / rows, top / height, left / width])

    for a, b in zip(measures(theirs), measures(ours), strict=True):
        levels = np.quantile(a, np.arange(0.1, 1, 0.1))
        below = [[(x <= level + 1e-9).mean() for level in levels] for x in (a, b)]
        assert np.abs(np.subtract(*below)).max() < 0.02  # four standard deviations of a share of 20,000


def test_every_crop_lies_in_its_picture() -> None:
    rng = np.random.default_rng(2)
    crops = [AreaCrop((0.08, 1.0), (3 / 4, 4 / 3)), ScaleCrop((8, 20), 8), CentreCrop(9, 8)]
    for height, width in SIZES:
        image = np.zeros((height, width, 3), np.uint8)
        for crop in crops:
            for numbers in [*rng.random((20, 24)), [0.0] * 24, [1 - 2**-53] * 24]:
                window = crop(height, width, list(numbers))
                assert 0 <= window.left < window.right <= width and 0 <= window.top < window.bottom <= height
            resize(image, window, 8, 8, 'bicubic')


def test_a_cut_window_does_not_see_what_is_around_it() -> None:
    image = np.full((20, 20, 3), 255, np.uint8)
    image[5:15, 5:15] = 0
    assert (resize(image, Box(5, 5, 15, 15, is_cut=True), 4, 4, 'bilinear') == 0).all()
    assert (resize(image, Box(5, 5, 15, 15), 4, 4, 'bilinear')[0] > 0).all()
