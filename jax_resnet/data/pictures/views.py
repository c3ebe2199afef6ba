"""The views of a picture in evaluation: its central crop; five crops; or the whole picture at several scales."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from jax_resnet.data.pictures.batches import Batch, decoded
from jax_resnet.data.pictures.crops import Box, CentreCrop, resize, resized_shape
from jax_resnet.data.pictures.source import Pictures

SCALES = (224, 256, 384, 480, 640)
"""Lengths of the shorter side, in pixels (He et al. 2015, section 3.4)."""

MULTIPLE = 32
"""The longer side is rounded to a multiple of this: networks downsample by 32. It also limits the number of shapes."""


class View(Protocol):
    """Maps a decoded picture, uint8 [height, width, 3], to its views, uint8 [views, rows, columns, 3]."""

    def __call__(self, image: np.ndarray, interpolation: str, /) -> np.ndarray: ...


class Centre(NamedTuple):
    """Takes the central `size` x `size` pixels of a picture resized to a shorter side of `shorter_side`."""

    shorter_side: int
    size: int

    def __call__(self, image: np.ndarray, interpolation: str) -> np.ndarray:
        """Returns the central crop, uint8 [1, size, size, 3]."""
        box = CentreCrop(self.shorter_side, self.size)(*image.shape[:2])
        return _resize(image, box, self.size, self.size, interpolation)[None]


class FiveCrops(NamedTuple):
    """Resizes a picture to a shorter side of `shorter_side`; crops `size` x `size` pixels at its corners and centre.

    These five crops and their mirror images are the ten crops of Krizhevsky et al. 2012, section 4.1.
    """

    shorter_side: int
    size: int

    def __call__(self, image: np.ndarray, interpolation: str) -> np.ndarray:
        """Returns the five crops, uint8 [5, size, size, 3]."""
        rows, columns = resized_shape(image.shape[0], image.shape[1], self.shorter_side)
        whole = _resize(image, _all(image), rows, columns, interpolation)
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
        return _resize(image, _all(image), rows, columns, interpolation)[None]


@dataclass(frozen=True)
class Pass:
    """A pass over the pictures of a split in order: the views of each picture, by its index.

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

    def __getitem__(self, index: int) -> Batch:
        """Makes a picture's views, uint8 [views, rows, columns, 3], its label, [], and its draws (0, index).

        Raises:
            DataError: the picture cannot be read or decoded. The message names it.
        """
        image, label = decoded(self.pictures, index, self.exif_rotation)
        return Batch(self.view(image, self.interpolation), np.int32(label), np.array([0, index], np.uint32))


def of_protocol(protocol: str, shorter_side: int, size: int, scales: Sequence[int] = SCALES) -> list[View]:
    """The views whose scores a protocol averages.

    Args:
        protocol: 'center'; 'ten_crop' (He et al. 2015, Tables 2 and 3) or 'multi_scale' (Table 4), which both also
            average over the mirror image of each view.
        shorter_side, size: except for 'multi_scale', the picture's shorter side, and the height and width of crops.
        scales: for 'multi_scale', lengths of the shorter side.
    """
    if protocol == 'multi_scale':
        return [Whole(scale) for scale in scales]
    return [Centre(shorter_side, size) if protocol == 'center' else FiveCrops(shorter_side, size)]


def _all(image: np.ndarray) -> Box:
    return Box(0, 0, image.shape[1], image.shape[0], is_cut=True)


def _resize(image: np.ndarray, box: Box, rows: int, columns: int, interpolation: str) -> np.ndarray:
    out = np.empty((rows, columns, 3), np.uint8)
    resize(image, box, out, interpolation)
    return out
