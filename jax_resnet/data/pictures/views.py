"""Views for tests that average the scores of several views: ten crops, or the whole picture at several scales."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from jax_resnet.data.pictures.batches import decoded
from jax_resnet.data.pictures.crops import Box, resize, resized_shape
from jax_resnet.data.pictures.source import Pictures

SCALES = (224, 256, 384, 480, 640)
"""Lengths of the shorter side, in pixels (He et al. 2015, section 3.4)."""

MULTIPLE = 32
"""The longer side is rounded to a multiple of this: networks downsample by 32. It also limits the number of shapes."""


class View(Protocol):
    """Maps a decoded picture, uint8 [height, width, 3], to its views, uint8 [views, rows, columns, 3]."""

    def __call__(self, image: np.ndarray, interpolation: str, /) -> np.ndarray: ...


class FiveCrops(NamedTuple):
    """Resizes a picture to a shorter side of `shorter_side`; crops `size` x `size` pixels at its corners and centre.

    These five crops and their mirror images are the ten crops of Krizhevsky et al. 2012, section 4.1.
    """

    shorter_side: int
    size: int

    def __call__(self, image: np.ndarray, interpolation: str) -> np.ndarray:
        """Returns the five crops, uint8 [5, size, size, 3]."""
        rows, columns = resized_shape(image.shape[0], image.shape[1], self.shorter_side)
        whole = _resize(image, rows, columns, interpolation)
        last_row, last_column = rows - self.size, columns - self.size
        places = [(0, 0), (0, last_column), (last_row, 0), (last_row, last_column)]
        places.append((round(last_row / 2), round(last_column / 2)))
        return np.stack([whole[top : top + self.size, left : left + self.size] for top, left in places])


class Whole(NamedTuple):
    """Resizes the whole picture: the shorter side to `shorter_side`, the longer to the nearest multiple of MULTIPLE.

    If the longer side is more than twice the shorter side, only the central part with ratio 2 is taken.
    """

    shorter_side: int

    def __call__(self, image: np.ndarray, interpolation: str) -> np.ndarray:
        """Returns the resized picture, uint8 [1, rows, columns, 3]."""
        height, width = image.shape[:2]
        rows, columns = min(height, 2 * width), min(width, 2 * height)
        top, left = (height - rows) // 2, (width - columns) // 2
        image = image[top : top + rows, left : left + columns]
        short, long = sorted((rows, columns))
        longer = (2 * self.shorter_side * long // short + MULTIPLE) // (2 * MULTIPLE) * MULTIPLE
        rows, columns = (self.shorter_side, longer) if rows <= columns else (longer, self.shorter_side)
        return _resize(image, rows, columns, interpolation)[None]


class Viewed(NamedTuple):
    """A picture's views, uint8 [views, rows, columns, 3], its label, and its index in the split, both int []."""

    images: Any
    label: Any
    index: Any


@dataclass(frozen=True)
class Views:
    """The views of each picture of a split, by the picture's index.

    Attributes:
        pictures: pictures of the split.
        view: makes the views of a picture.
        interpolation, exif_rotation: as for `Batches`.
    """

    pictures: Pictures
    view: View
    interpolation: str = 'bilinear'
    exif_rotation: bool = False

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, index: int) -> Viewed:
        """Makes a picture's views. Raises DataError, which names the picture, if it cannot be read or decoded."""
        image, label = decoded(self.pictures, index, self.exif_rotation)
        return Viewed(self.view(image, self.interpolation), np.int32(label), np.int32(index))


def of_protocol(protocol: str, shorter_side: int, size: int, scales: Sequence[int] = SCALES) -> list[View]:
    """The views whose scores a protocol averages, each with its mirror image.

    Args:
        protocol: 'ten_crop' (He et al. 2015, Tables 2 and 3) or 'multi_scale' (Table 4).
        shorter_side, size: for 'ten_crop', the picture's shorter side, and the height and width of the crops.
        scales: for 'multi_scale', lengths of the shorter side.
    """
    return [FiveCrops(shorter_side, size)] if protocol == 'ten_crop' else [Whole(scale) for scale in scales]


def _resize(image: np.ndarray, rows: int, columns: int, interpolation: str) -> np.ndarray:
    out = np.empty((rows, columns, 3), np.uint8)
    resize(image, Box(0, 0, image.shape[1], image.shape[0], is_cut=True), out, interpolation)
    return out
