"""Chooses the part of a picture that the network sees, and resizes it to a view.

A crop is a function of a picture's size and of uniform random numbers. It needs no pixels.
"""

from collections.abc import Sequence
from math import exp, log, sqrt
from typing import NamedTuple, Protocol

import numpy as np
from PIL import Image

from jax_resnet.config.fields import Pictures

NUMBERS = 24
"""Number of uniform random numbers that a crop gets, each from 0 to below 1."""

TRIES = 10
"""Maximum number of draws of an area and an aspect ratio, until one fits into the picture."""

FILTERS = {'bilinear': Image.Resampling.BILINEAR, 'bicubic': Image.Resampling.BICUBIC}
"""Pillow's filters, by the value of `config.pictures.interpolation`. They smooth a picture when they shrink it."""


class Box(NamedTuple):
    """A rectangular part of a picture.

    Attributes:
        left, top, right, bottom: its borders, in the picture's pixels.
        is_cut: cut the part out before resizing, so that pixels outside it have no influence.
    """

    left: float
    top: float
    right: float
    bottom: float
    is_cut: bool = False


class Crop(Protocol):
    """Maps a picture's height and width, and NUMBERS uniform random numbers, to the part that the network sees."""

    def __call__(self, height: int, width: int, numbers: Sequence[float], /) -> Box: ...


class CentreCrop(NamedTuple):
    """Chooses the central `size` x `size` pixels of a picture resized to a shorter side of `shorter_side`."""

    shorter_side: int
    size: int

    def __call__(self, height: int, width: int, numbers: Sequence[float] = ()) -> Box:
        """Returns the central part; uses no random numbers."""
        rows, columns = resized_shape(height, width, self.shorter_side)
        top, left = round((rows - self.size) / 2), round((columns - self.size) / 2)
        return _to_original(height, width, rows, columns, top, left, self.size)


class ScaleCrop(NamedTuple):
    """Chooses a random `size` x `size` part of a picture resized to a random shorter side (2015, section 3.4).

    Attributes:
        shorter_side: minimum and maximum, in pixels; both and all whole numbers between them are equally likely.
        size: height and width of the crop, in pixels.
    """

    shorter_side: tuple[int, int]
    size: int

    def __call__(self, height: int, width: int, numbers: Sequence[float]) -> Box:
        """Returns the random part."""
        least, most = self.shorter_side
        rows, columns = resized_shape(height, width, least + int(numbers[0] * (most - least + 1)))
        top, left = int(numbers[1] * (rows - self.size + 1)), int(numbers[2] * (columns - self.size + 1))
        return _to_original(height, width, rows, columns, top, left, self.size)


class AreaCrop(NamedTuple):
    """A part of random area and aspect ratio (Szegedy et al. 2015, arXiv 1409.4842, section 6), by torchvision's rule.

    The first of TRIES draws that fits is taken. If none fits, the largest central part with an allowed ratio is taken.

    Attributes:
        area: minimum and maximum, as fractions of the picture's area.
        ratio: minimum and maximum of width / height; the logarithm of the ratio is uniform.
    """

    area: tuple[float, float]
    ratio: tuple[float, float]

    def __call__(self, height: int, width: int, numbers: Sequence[float]) -> Box:
        """Returns the random part."""
        low, high = (log(ratio) for ratio in self.ratio)
        for k in range(TRIES):
            area = height * width * (self.area[0] + numbers[2 * k] * (self.area[1] - self.area[0]))
            ratio = exp(low + numbers[2 * k + 1] * (high - low))
            columns, rows = round(sqrt(area * ratio)), round(sqrt(area / ratio))
            if 0 < columns <= width and 0 < rows <= height:
                top = int(numbers[2 * TRIES] * (height - rows + 1))
                left = int(numbers[2 * TRIES + 1] * (width - columns + 1))
                return Box(left, top, left + columns, top + rows, is_cut=True)
        rows, columns = height, width
        if width < self.ratio[0] * height:
            rows = max(1, round(width / self.ratio[0]))
        elif width > self.ratio[1] * height:
            columns = max(1, round(height * self.ratio[1]))
        top, left = (height - rows) // 2, (width - columns) // 2
        return Box(left, top, left + columns, top + rows, is_cut=True)


def training_crop(pictures: Pictures, size: int) -> Crop:
    """The crop for training, according to the group `pictures` of a config; its views are `size` x `size`."""
    if pictures.view == 'area':
        return AreaCrop(pictures.area, pictures.aspect_ratio)
    if pictures.view == 'scale':
        return ScaleCrop(pictures.shorter_side, size)
    return CentreCrop(pictures.test_shorter_side, size)


def resize(image: np.ndarray, box: Box, out: np.ndarray, interpolation: str) -> None:
    """Resizes a part of an image with Pillow, and writes it into `out`.

    Args:
        image: uint8 [height, width, 3].
        box: the part to resize.
        out: uint8 [rows, columns, 3].
        interpolation: one of FILTERS.
    """
    pillow_box: tuple[float, float, float, float] | None = box.left, box.top, box.right, box.bottom
    if box.is_cut:
        left, top, right, bottom = map(int, box[:4])
        image, pillow_box = image[top:bottom, left:right], None
    size = out.shape[1], out.shape[0]
    out[...] = np.asarray(Image.fromarray(image).resize(size, FILTERS[interpolation], pillow_box))


def resized_shape(height: int, width: int, shorter_side: int) -> tuple[int, int]:
    """Height and width of a picture resized to a shorter side of `shorter_side`; the longer side is rounded down."""
    if height <= width:
        return shorter_side, shorter_side * width // height
    return shorter_side * height // width, shorter_side


def _to_original(height: int, width: int, rows: int, columns: int, top: int, left: int, size: int) -> Box:
    """Converts a `size` x `size` box of the picture resized to rows x columns to the original picture's pixels."""
    y, x = height / rows, width / columns
    # By rounding, the right or bottom border may be outside the picture.
    return Box(left * x, top * y, min((left + size) * x, width), min((top + size) * y, height))
