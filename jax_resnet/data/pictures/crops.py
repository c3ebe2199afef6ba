"""Which part of a picture the network sees, and how that becomes a view of the right size.

A crop is a function of a picture's size and of uniform random numbers. It needs no pixels.
"""

from collections.abc import Mapping, Sequence
from math import exp, log, sqrt
from typing import Any, NamedTuple, Protocol

import numpy as np
from PIL import Image

NUMBERS = 24
"""Uniform random numbers that a crop is given, each from 0 and below 1."""

TRIES = 10
"""Of an area and an aspect ratio that fit into the picture."""

FILTERS = {'bilinear': Image.Resampling.BILINEAR, 'bicubic': Image.Resampling.BICUBIC}
"""Pillow's, by the value of `config.pictures.interpolation`: where a picture gets smaller, they smooth it."""


class Window(NamedTuple):
    """A part of a picture, in its pixels.

    Attributes:
        left, top, right, bottom: its borders.
        is_cut: the part is cut out before it is resized, so that the pixels around it do not count.
    """

    left: float
    top: float
    right: float
    bottom: float
    is_cut: bool = False


class Crop(Protocol):
    """From a picture's height and width, and NUMBERS uniform numbers, to the part that is seen."""

    def __call__(self, height: int, width: int, numbers: Sequence[float], /) -> Window: ...


class CentreCrop(NamedTuple):
    """The central `size` x `size` pixels of a picture whose shorter side has been made `shorter_side` long."""

    shorter_side: int
    size: int

    def __call__(self, height: int, width: int, numbers: Sequence[float] = ()) -> Window:
        """The part that is seen; no number is needed."""
        rows, columns = resized(height, width, self.shorter_side)
        top, left = round((rows - self.size) / 2), round((columns - self.size) / 2)
        return _within(height, width, rows, columns, top, left, self.size)


class ScaleCrop(NamedTuple):
    """A random `size` x `size` part of a picture whose shorter side has been made randomly long (2015, section 3.4).

    Attributes:
        shorter_side: the least and the most, in pixels; each whole number between is equally likely.
        size: height and width of the crop, in pixels.
    """

    shorter_side: tuple[int, int]
    size: int

    def __call__(self, height: int, width: int, numbers: Sequence[float]) -> Window:
        """The part that is seen."""
        least, most = self.shorter_side
        rows, columns = resized(height, width, least + int(numbers[0] * (most - least + 1)))
        top, left = int(numbers[1] * (rows - self.size + 1)), int(numbers[2] * (columns - self.size + 1))
        return _within(height, width, rows, columns, top, left, self.size)


class AreaCrop(NamedTuple):
    """A part of random area and aspect ratio (Szegedy et al. 2015, arXiv 1409.4842, section 6), by torchvision's rule.

    Of TRIES draws, the first that fits is taken; if none fits, the largest central part of an allowed ratio.

    Attributes:
        area: the least and the most, as shares of the picture's.
        ratio: the least and the most width over height; its logarithm is uniform.
    """

    area: tuple[float, float]
    ratio: tuple[float, float]

    def __call__(self, height: int, width: int, numbers: Sequence[float]) -> Window:
        """The part that is seen."""
        low, high = (log(ratio) for ratio in self.ratio)
        for k in range(TRIES):
            area = height * width * (self.area[0] + numbers[2 * k] * (self.area[1] - self.area[0]))
            ratio = exp(low + numbers[2 * k + 1] * (high - low))
            columns, rows = round(sqrt(area * ratio)), round(sqrt(area / ratio))
            if 0 < columns <= width and 0 < rows <= height:
                top = int(numbers[2 * TRIES] * (height - rows + 1))
                left = int(numbers[2 * TRIES + 1] * (width - columns + 1))
                return Window(left, top, left + columns, top + rows, is_cut=True)
        rows, columns = height, width
        if width < self.ratio[0] * height:
            rows = max(1, round(width / self.ratio[0]))
        elif width > self.ratio[1] * height:
            columns = max(1, round(height * self.ratio[1]))
        top, left = (height - rows) // 2, (width - columns) // 2
        return Window(left, top, left + columns, top + rows, is_cut=True)


def training_crop(pictures: Mapping[str, Any], size: int) -> Crop:
    """The crop that training takes, `size` x `size`, by the group `pictures` of a config."""
    if pictures['view'] == 'area':
        return AreaCrop(pictures['area'], pictures['aspect_ratio'])
    if pictures['view'] == 'scale':
        return ScaleCrop(pictures['shorter_side'], size)
    return CentreCrop(pictures['test_shorter_side'], size)


def resize(image: np.ndarray, window: Window, out: np.ndarray, interpolation: str) -> None:
    """Writes a part of an image, resized as Pillow does, into `out`.

    Args:
        image: uint8 [height, width, 3].
        window: the part.
        out: uint8 [rows, columns, 3].
        interpolation: one of FILTERS.
    """
    *borders, is_cut = window
    if is_cut:
        left, top, right, bottom = map(int, borders)
        image, box = image[top:bottom, left:right], None
    else:
        box = window.left, window.top, window.right, window.bottom
    size = out.shape[1], out.shape[0]
    out[...] = np.asarray(Image.fromarray(image).resize(size, FILTERS[interpolation], box))


class CentralView(NamedTuple):
    """How evaluation sees a picture of any size.

    Attributes:
        crop: what it sees of it.
        interpolation: one of FILTERS.
        exif_rotation: whether a picture is turned before as its EXIF says.
    """

    crop: CentreCrop
    interpolation: str
    exif_rotation: bool

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """uint8 [size, size, 3] of uint8 [height, width, 3], turned already."""
        out = np.empty((self.crop.size, self.crop.size, 3), np.uint8)
        resize(image, self.crop(*image.shape[:2]), out, self.interpolation)
        return out


def resized(height: int, width: int, shorter_side: int) -> tuple[int, int]:
    """A picture's height and width when its shorter side is made so long; the longer is rounded down."""
    if height <= width:
        return shorter_side, shorter_side * width // height
    return shorter_side * height // width, shorter_side


def _within(height: int, width: int, rows: int, columns: int, top: int, left: int, size: int) -> Window:
    """`size` x `size` pixels of a picture that was made rows x columns, in the picture's own pixels."""
    y, x = height / rows, width / columns
    # The last pixel's border may lie beyond the picture's by rounding.
    return Window(left * x, top * y, min((left + size) * x, width), min((top + size) * y, height))
