"""The views of a picture that the network sees: one random crop in training; several views in evaluation.

A crop is a function of a picture's size and of uniform random numbers. It needs no pixels. Its part of the picture is
then resized to the view.
"""

from collections.abc import Sequence
from math import exp, log, sqrt
from typing import NamedTuple

import numpy as np
from PIL import Image

from jax_resnet.config.fields import Pictures
from jax_resnet.data.pictures.decoding import MOST_PIXELS

NUMBERS = 24
"""Number of uniform random numbers that a crop gets, each from 0 to below 1."""

TRIES = 10
"""Maximum number of draws of an area and an aspect ratio, until one fits into the picture."""

SCALES = (224, 256, 384, 480, 640)
"""Lengths of the shorter side, in pixels (He et al. 2015, section 3.4)."""

MULTIPLE = 32
"""The longer side is rounded to a multiple of this: networks downsample by 32. It also limits the number of shapes."""


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


class CentreCrop(NamedTuple):
    """Chooses the central `size` x `size` pixels of a picture resized to a shorter side of `shorter_side`."""

    shorter_side: int
    size: int

    def __call__(self, height: int, width: int, numbers: Sequence[float] = ()) -> Box:
        """Returns the central part; uses no random numbers."""
        rows, columns = resized_shape(height, width, self.shorter_side)
        top, left = round((rows - self.size) / 2), round((columns - self.size) / 2)
        return _to_original(height, width, rows, columns, top, left, self.size)

    def views(self, image: np.ndarray, interpolation: str) -> np.ndarray:
        """Returns the resized part, uint8 [1, size, size, 3]."""
        return resize(image, self(*image.shape[:2]), self.size, self.size, interpolation)[None]


class ScaleCrop(NamedTuple):
    """Chooses a random `size` x `size` part of a picture resized to a random shorter side (2015, section 3.4).

    Attributes:
        shorter_side: minimum and maximum, in pixels; both and all integers between them are equally likely.
        size: height and width of the crop, in pixels.
    """

    shorter_side: tuple[int, int]
    size: int

    def __call__(self, height: int, width: int, numbers: Sequence[float]) -> Box:
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


Crop = CentreCrop | ScaleCrop | AreaCrop
"""Maps a picture's height and width, and NUMBERS uniform random numbers, to the part that the network sees."""


def training_crop(pictures: Pictures, size: int) -> Crop:
    """The crop for training, according to the group `pictures` of a config; its views are `size` x `size`."""
    if pictures.view == 'area':
        return AreaCrop(pictures.area, pictures.aspect_ratio)
    if pictures.view == 'scale':
        return ScaleCrop(pictures.shorter_side, size)
    return CentreCrop(pictures.test_shorter_side, size)


def resize(image: np.ndarray, box: Box | None, rows: int, columns: int, interpolation: str) -> np.ndarray:
    """Resizes a part of an image, or the whole, with Pillow, which smooths it when it gets smaller.

    Args:
        image: uint8 [height, width, 3].
        box: the part to resize; None means the whole.
        rows, columns: the shape of the result, uint8 [rows, columns, 3].
        interpolation: 'bilinear' or 'bicubic'.
    """
    if box is not None and box.is_cut:
        left, top, right, bottom = map(int, box[:4])
        image, box = image[top:bottom, left:right], None
    resampling = Image.Resampling[interpolation.upper()]
    return np.asarray(Image.fromarray(image).resize((columns, rows), resampling, None if box is None else box[:4]))


def resized_shape(height: int, width: int, shorter_side: int) -> tuple[int, int]:
    """Height and width of a picture resized to a shorter side of `shorter_side`; the longer side is rounded down."""
    if height <= width:
        return shorter_side, shorter_side * width // height
    return shorter_side * height // width, shorter_side


class FiveCrops(NamedTuple):
    """Resizes a picture to a shorter side of `shorter_side`; crops `size` x `size` pixels at its corners and centre.

    These five crops and their mirror images are the ten crops of Krizhevsky et al. 2012, section 4.1.
    """

    shorter_side: int
    size: int

    def views(self, image: np.ndarray, interpolation: str) -> np.ndarray:
        """Returns the five crops, uint8 [5, size, size, 3]."""
        height, width, _ = image.shape
        rows, columns = resized_shape(height, width, self.shorter_side)
        last_row, last_column = rows - self.size, columns - self.size
        origins = [(0, 0), (0, last_column), (last_row, 0), (last_row, last_column)]
        origins.append((round(last_row / 2), round(last_column / 2)))
        if rows * columns > MOST_PIXELS:  # the crops of a very long picture are resized one by one
            boxes = [_to_original(height, width, rows, columns, top, left, self.size) for top, left in origins]
            return np.stack([resize(image, box, self.size, self.size, interpolation) for box in boxes])
        whole = resize(image, None, rows, columns, interpolation)
        return np.stack([whole[top : top + self.size, left : left + self.size] for top, left in origins])


class Whole(NamedTuple):
    """Resizes the whole picture: the shorter side to `shorter_side`, the longer to the nearest multiple of MULTIPLE.

    If the longer side is more than twice the shorter side, only the central part with ratio 2 is taken.
    """

    shorter_side: int

    def views(self, image: np.ndarray, interpolation: str) -> np.ndarray:
        """Returns the resized picture, uint8 [1, rows, columns, 3]."""
        height, width = image.shape[:2]
        rows, columns = min(height, 2 * width), min(width, 2 * height)
        top, left = (height - rows) // 2, (width - columns) // 2
        image = image[top : top + rows, left : left + columns]
        short, long = sorted((rows, columns))
        longer = (2 * self.shorter_side * long // short + MULTIPLE) // (2 * MULTIPLE) * MULTIPLE
        rows, columns = (self.shorter_side, longer) if rows <= columns else (longer, self.shorter_side)
        return resize(image, None, rows, columns, interpolation)[None]


View = CentreCrop | FiveCrops | Whole
"""Its `views` maps a picture, uint8 [height, width, 3], and an interpolation to uint8 [views, rows, columns, 3]."""


def evaluation_views(protocol: str, shorter_side: int, size: int) -> list[View]:
    """The views whose scores a protocol averages.

    Args:
        protocol: 'center'; 'ten_crop' (He et al. 2015, Tables 2 and 3) or 'multi_scale' (Table 4), which both also
            average over the mirror image of each view.
        shorter_side, size: except for 'multi_scale', the picture's shorter side, and the height and width of crops.
    """
    if protocol == 'multi_scale':
        return [Whole(scale) for scale in SCALES]
    return [CentreCrop(shorter_side, size) if protocol == 'center' else FiveCrops(shorter_side, size)]


def _to_original(height: int, width: int, rows: int, columns: int, top: int, left: int, size: int) -> Box:
    """Converts a `size` x `size` box of the picture resized to rows x columns to the original picture's pixels."""
    y, x = height / rows, width / columns
    # By rounding, the right or bottom border may be outside the picture.
    return Box(left * x, top * y, min((left + size) * x, width), min((top + size) * y, height))
