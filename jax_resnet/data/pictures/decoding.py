"""Decoding of JPEG, PNG and WebP files: always 8 bits of red, green and blue, whatever the file holds."""

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import simplejpeg
from PIL import ExifTags, Image
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

MOST_PIXELS = 2**27
"""Of a picture, by its header: more are taken for damage, or for an attack on the memory."""

# These classes and not Image.open(): it warns of pictures that are large, but allowed here.
_READERS: dict[bytes, type[ImageFile]] = {
    b'\xff\xd8\xff': JpegImageFile,
    b'\x89PNG\r\n\x1a\n': PngImageFile,
    b'RIFF': WebPImageFile,
}


# Pillow reads the EXIF block of each JPEG that it opens, for the dots per inch, and warns where it is damaged.
_OF_EXIF = re.compile(r'PIL\.TiffImagePlugin')


def decode(encoded: bytes, exif_rotation: bool = False) -> np.ndarray:
    """The pixels of a picture, uint8 [height, width, 3] in RGB, contiguous.

    Grey becomes three equal channels, and what is transparent is laid on black. 16 bits of grey are divided by 257.
    Damage that libjpeg can pass over, such as superfluous bytes, is passed over; a file that is cut off is not.

    Args:
        encoded: the bytes of a JPEG, PNG or WebP file.
        exif_rotation: whether to turn the picture as its EXIF orientation says; a damaged EXIF block says nothing.

    Raises:
        ValueError: no such file, a damaged one, or more than MOST_PIXELS; the reason is one line.
    """
    size(encoded)
    pixels = _decode_jpeg(encoded)
    if pixels is None:
        with _opened(encoded) as image:
            pixels = _rgb(image)
    return _turned(pixels, _orientation(encoded)) if exif_rotation else pixels


def size(encoded: bytes) -> tuple[int, int]:
    """Height and width of a picture by its header, before any rotation. Nothing is decoded.

    Raises:
        ValueError: as `decode`, where the header shows it.
    """
    try:
        height, width, *_ = simplejpeg.decode_jpeg_header(encoded)
    except ValueError:
        with _opened(encoded) as image:
            width, height = image.size
    if not 0 < height * width <= MOST_PIXELS:
        raise ValueError(f'{height:,} x {width:,} pixels, of which there must be 1 to {MOST_PIXELS:,}')
    return height, width


def _decode_jpeg(encoded: bytes) -> np.ndarray | None:
    """The pixels of an ordinary JPEG, as Pillow decodes them; None for what is left to Pillow."""
    try:
        _, _, colours, _ = simplejpeg.decode_jpeg_header(encoded)
        return None if colours in ('CMYK', 'YCCK') else simplejpeg.decode_jpeg(encoded, 'RGB')
    except ValueError:
        return None


@contextmanager
def _opened(encoded: bytes) -> Iterator[ImageFile]:
    """A picture opened by Pillow, with its header read. What Pillow raises in the context becomes a ValueError."""
    reader = next((reader for start, reader in _READERS.items() if encoded.startswith(start)), None)
    if reader is None:
        raise ValueError('no JPEG, PNG or WebP file' if encoded else 'an empty file')
    if all(entry[3] != _OF_EXIF for entry in warnings.filters):
        warnings.filterwarnings('ignore', module=_OF_EXIF.pattern)
    try:
        with reader(io.BytesIO(encoded)) as image:
            yield image
    except SyntaxError:  # Pillow's, for headers and chunks; it says little
        raise ValueError(f'unreadable {reader.format}: its structure is damaged') from None
    except Exception as e:  # of a damaged file, Pillow raises nearly anything
        raise ValueError(f'unreadable {reader.format}: {" ".join(str(e).split()) or type(e).__name__}') from None


def _rgb(image: Image.Image) -> np.ndarray:
    """The pixels of an image of any mode, uint8 [height, width, 3]."""
    if image.mode.startswith('I'):  # 16 bits, which convert() would clip to 8
        grey = np.asarray(image)
        grey = np.where(grey == image.info.get('transparency', -1), 0, grey // 257)
        return grey.astype(np.uint8)[..., None].repeat(3, axis=2)
    if image.has_transparency_data:
        image = Image.alpha_composite(Image.new('RGBA', image.size, 'black'), image.convert('RGBA'))
    return np.array(image.convert('RGB'))


def _orientation(encoded: bytes) -> int:
    """The EXIF orientation as the file has it, 1 to 8 if it is sound; 1, upright, where it cannot be read."""
    try:
        with _opened(encoded) as image:
            return image.getexif().get(ExifTags.Base.Orientation, 1)
    except ValueError:
        return 1


def _turned(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """A picture, [height, width, 3], set upright from its EXIF orientation; contiguous.

    1, and what is no orientation, leave it as it is.
    """
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)
