"""Decodes JPEG, PNG and WebP files, always to RGB with 8 bits per channel."""

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import simplejpeg
from PIL import ExifTags, Image
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

MOST_PIXELS = 2**27
"""Maximum number of pixels in a picture's header. A larger picture is rejected as damaged, or as an attack."""

BLACK = 0, 0, 0

# Image.open() would warn of large pictures that are allowed here; these classes do not.
_READERS: dict[bytes, type[ImageFile]] = {
    b'\xff\xd8\xff': JpegImageFile,
    b'\x89PNG\r\n\x1a\n': PngImageFile,
    b'RIFF': WebPImageFile,
}


# When Pillow opens a JPEG, it reads the EXIF block for the dots per inch. It warns if the block is damaged.
_EXIF_READER = re.compile(r'PIL\.TiffImagePlugin')


class Layer(NamedTuple):
    """A decoded picture, which may be transparent.

    Attributes:
        pixels: RGB, uint8 [height, width, 3], contiguous.
        alpha: uint8 [height, width], 0 where the picture is transparent; None if it is opaque everywhere.
    """

    pixels: np.ndarray
    alpha: np.ndarray | None = None

    def on(self, colour: tuple[int, ...]) -> np.ndarray:
        """Puts a colour, (red, green, blue) from 0 to 255, behind the picture. Returns RGB, contiguous."""
        if self.alpha is None:
            return self.pixels
        image = Image.fromarray(np.dstack([self.pixels, self.alpha]))
        background = Image.new('RGBA', image.size, (*colour, 255))
        return np.array(Image.alpha_composite(background, image).convert('RGB'))

    def upright(self, orientation: int) -> 'Layer':
        """Rotates and mirrors the picture from its EXIF orientation to upright."""
        alpha = None if self.alpha is None else _upright(self.alpha, orientation)
        return Layer(_upright(self.pixels, orientation), alpha)


def decode(encoded: bytes, exif_rotation: bool = False) -> np.ndarray:
    """Decodes a picture to RGB, uint8 [height, width, 3], contiguous.

    Grey pictures get three equal channels. Transparent pictures get a black background. 16-bit grey values are divided
    by 257. Damage that libjpeg tolerates, such as superfluous bytes, is ignored; a truncated file raises an error.

    Args:
        encoded: the bytes of a JPEG, PNG or WebP file.
        exif_rotation: whether to rotate the picture by its EXIF orientation. A damaged EXIF block is ignored.

    Raises:
        ValueError: the bytes are not such a file, are damaged, or have more than MOST_PIXELS; the reason is one line.
    """
    return decode_layer(encoded, exif_rotation).on(BLACK)


def decode_layer(encoded: bytes, exif_rotation: bool = False) -> Layer:
    """Like `decode`, but without a background."""
    size(encoded)
    pixels = _decode_jpeg(encoded)
    if pixels is not None:
        layer = Layer(pixels)
    else:
        with _opened(encoded) as image:
            layer = _layer(image)
    return layer.upright(_orientation(encoded)) if exif_rotation else layer


def is_picture(encoded: bytes) -> bool:
    """Whether the bytes begin like a JPEG, PNG or WebP file."""
    return _reader(encoded) is not None


def size(encoded: bytes) -> tuple[int, int]:
    """Height and width of a picture from its header, before any rotation. The pixels are not decoded.

    Raises:
        ValueError: as `decode`, if the problem shows in the header.
    """
    try:
        height, width, *_ = simplejpeg.decode_jpeg_header(encoded)
    except ValueError:
        with _opened(encoded) as image:
            width, height = image.size
    if not 0 < height * width <= MOST_PIXELS:
        raise ValueError(f'it has {height:,} x {width:,} pixels; it must have 1 to {MOST_PIXELS:,}')
    return height, width


def _decode_jpeg(encoded: bytes) -> np.ndarray | None:
    """Decodes an ordinary JPEG, with the same result as Pillow. Returns None for files that Pillow must decode."""
    try:
        _, _, colours, _ = simplejpeg.decode_jpeg_header(encoded)
        return None if colours in ('CMYK', 'YCCK') else simplejpeg.decode_jpeg(encoded, 'RGB')
    except ValueError:
        return None


def _reader(encoded: bytes) -> type[ImageFile] | None:
    return next((reader for start, reader in _READERS.items() if encoded.startswith(start)), None)


@contextmanager
def _opened(encoded: bytes) -> Iterator[ImageFile]:
    """Opens a picture with Pillow, which reads its header. Errors of Pillow in the context become ValueErrors."""
    reader = _reader(encoded)
    if reader is None:
        raise ValueError('not a JPEG, PNG or WebP file' if encoded else 'an empty file')
    if all(entry[3] != _EXIF_READER for entry in warnings.filters):
        warnings.filterwarnings('ignore', module=_EXIF_READER.pattern)
    try:
        with reader(io.BytesIO(encoded)) as image:
            yield image
    except SyntaxError:  # Pillow raises it for damaged headers and chunks; its message is not helpful
        raise ValueError(f'unreadable {reader.format}: its structure is damaged') from None
    except Exception as e:  # for damaged files, Pillow raises many types of errors
        raise ValueError(f'unreadable {reader.format}: {" ".join(str(e).split()) or type(e).__name__}') from None


def _layer(image: Image.Image) -> Layer:
    """Converts an image of any mode to RGB and its alpha."""
    if image.mode.startswith('I'):  # 16 bits: convert() would clip the values to 8 bits
        grey = np.asarray(image)
        pixels = (grey // 257).astype(np.uint8)[..., None].repeat(3, axis=2)
        alpha = np.uint8(255) * (grey != image.info.get('transparency', -1))
    elif image.has_transparency_data:
        rgba = np.array(image.convert('RGBA'))
        pixels, alpha = np.ascontiguousarray(rgba[..., :3]), rgba[..., 3]
    else:
        return Layer(np.array(image.convert('RGB')))
    return Layer(pixels, None if alpha.min() == 255 else alpha)


def _orientation(encoded: bytes) -> int:
    """The EXIF orientation in the file, 1 to 8 if it is valid; 1 (upright) if it cannot be read."""
    try:
        with _opened(encoded) as image:
            return image.getexif().get(ExifTags.Base.Orientation, 1)
    except ValueError:
        return 1


def _upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Rotates and mirrors an array [height, width, ...] from an EXIF orientation to upright; contiguous.

    Orientation 1 and invalid values do not change it.
    """
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)
