"""Decodes JPEG, PNG and WebP files, always to RGB with 8 bits per channel."""

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import simplejpeg
from PIL import ExifTags, Image, ImageOps
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from jax_resnet.errors import reason

MOST_PIXELS = 2**27
"""Maximum number of pixels in a picture's header. A larger picture is rejected as damaged, or as an attack."""


# Image.open() would warn of large pictures that are allowed here; these classes do not.
_READERS: dict[bytes, type[ImageFile]] = {
    b'\xff\xd8\xff': JpegImageFile,
    b'\x89PNG\r\n\x1a\n': PngImageFile,
    b'RIFF': WebPImageFile,
}


# When Pillow opens a JPEG, it reads the EXIF block for the dots per inch. It warns if the block is damaged.
_EXIF_READER = re.compile(r'PIL\.TiffImagePlugin')


def decode(encoded: bytes, exif_rotation: bool = False) -> np.ndarray:
    """Decodes a picture to RGB, uint8 [height, width, 3], contiguous.

    Grey pictures get three equal channels. Transparent ones are drawn on black. 16-bit grey values are divided by 257.
    Damage that libjpeg tolerates, such as superfluous bytes, is ignored; a truncated file raises an error.

    Args:
        encoded: the bytes of a JPEG, PNG or WebP file.
        exif_rotation: whether to rotate the picture by its EXIF orientation. A damaged EXIF block is ignored.

    Raises:
        ValueError: the bytes are not such a file, are damaged, or have more than MOST_PIXELS; the reason is one line.
    """
    size(encoded)
    pixels = _decode_jpeg(encoded)
    if pixels is None:
        with _opened(encoded) as image:
            pixels = np.array(_rgb(image))
    if exif_rotation and (orientation := _orientation(encoded)) in range(2, 9):
        rotated = Image.fromarray(pixels)
        rotated.getexif()[ExifTags.Base.Orientation] = orientation
        pixels = np.array(ImageOps.exif_transpose(rotated))
    return pixels


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


@contextmanager
def _opened(encoded: bytes) -> Iterator[ImageFile]:
    """Opens a picture with Pillow, which reads its header. Errors of Pillow in the context become ValueErrors."""
    reader = next((reader for start, reader in _READERS.items() if encoded.startswith(start)), None)
    if reader is None:
        raise ValueError('not a JPEG, PNG or WebP file' if encoded else 'an empty file')
    if all(entry[3] != _EXIF_READER for entry in warnings.filters):
        warnings.filterwarnings('ignore', module=_EXIF_READER.pattern)
    try:
        with reader(io.BytesIO(encoded)) as image:
            yield image
    except SyntaxError:  # Pillow raises it for damaged headers and chunks; its message is not helpful
        raise ValueError(f'unreadable {reader.format}: its structure is damaged') from None
    except MemoryError:
        raise
    except Exception as e:  # for damaged files, Pillow raises many types of errors
        raise ValueError(f'unreadable {reader.format}: {reason(e)}') from None


def _rgb(image: Image.Image) -> Image.Image:
    """Converts an image of any mode to RGB, on black if it is transparent."""
    if image.mode.startswith('I'):  # 16 bits: convert() would clip the values to 8 bits
        grey = np.asarray(image)
        alpha = np.uint8(255) * (grey != image.info.get('transparency', -1))
        image = Image.fromarray(np.dstack([(grey // 257).astype(np.uint8), alpha]))
    if not image.has_transparency_data:
        return image.convert('RGB')
    behind = Image.new('RGBA', image.size, 'black')
    return Image.alpha_composite(behind, image.convert('RGBA')).convert('RGB')


def _orientation(encoded: bytes) -> int:
    """The EXIF orientation in the file, 1 to 8 if it is valid; 1 (upright) if it cannot be read."""
    try:
        with _opened(encoded) as image:
            return image.getexif().get(ExifTags.Base.Orientation, 1)
    except ValueError:
        return 1
