import importlib
import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageOps

from jax_resnet.data.pictures import decoding
from jax_resnet.data.pictures.decoding import decode, size


def colours(height: int = 60, width: int = 91) -> Image.Image:
    """Smooth colours with some noise, another in each corner."""
    y, x = np.mgrid[:height, :width]
    pixels = np.stack([255 * y / height, 255 * x / width, 127 + 100 * np.sin(y / 5 + x / 7)], -1)
    noise = np.random.default_rng(0).integers(-9, 10, pixels.shape)
    return Image.fromarray(np.clip(pixels + noise, 0, 255).astype(np.uint8))


def encode(image: Image.Image, file_format: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, file_format, **options)
    return file.getvalue()


def by_pillow(encoded: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(encoded)) as image:
        return np.asarray(image.convert('RGB'))


def assert_decodes(encoded: bytes, expected: np.ndarray, **options: Any) -> None:
    pixels = decode(encoded, **options)
    assert pixels.dtype == np.uint8 and pixels.flags.c_contiguous and pixels.flags.writeable
    np.testing.assert_array_equal(pixels, expected)


def png(height: int, width: int) -> bytes:
    """The beginning of a PNG file of red, green and blue, and a few of its pixels."""
    parts = (b'IHDR', struct.pack('>IIBBBBB', width, height, 8, 2, 0, 0, 0)), (b'IDAT', zlib.compress(bytes(99)))
    chunks = [struct.pack('>I', len(c)) + k + c + struct.pack('>I', zlib.crc32(k + c)) for k, c in parts]
    return b'\x89PNG\r\n\x1a\n' + b''.join(chunks)


def with_size(jpeg: bytes, height: int, width: int) -> bytes:
    """A JPEG whose header says another size."""
    at = jpeg.index(b'\xff\xc0') + 5
    return jpeg[:at] + struct.pack('>HH', height, width) + jpeg[at + 4 :]


@pytest.mark.parametrize('options', [{}, {'progressive': True}, {'subsampling': 0}])
@pytest.mark.parametrize('mode', ['RGB', 'L', 'CMYK'])
def test_a_jpeg_is_decoded_as_by_pillow(mode: str, options: dict[str, Any]) -> None:
    encoded = encode(colours().convert(mode), 'JPEG', **options)
    assert_decodes(encoded, by_pillow(encoded))
    assert size(encoded) == (60, 91)


@pytest.mark.parametrize('mode', ['1', 'L', 'P', 'RGB'])
def test_a_png_is_decoded_as_by_pillow(mode: str) -> None:
    encoded = encode(colours().convert(mode), 'PNG')
    assert_decodes(encoded, by_pillow(encoded))
    assert size(encoded) == (60, 91)


def test_16_bits_of_grey_are_scaled_and_not_clipped() -> None:
    grey = np.random.default_rng(0).integers(0, 2**16, (5, 7), dtype=np.uint16)
    grey[0, :3] = 0, 65_535, 257
    expected = np.repeat((grey // 257).astype(np.uint8)[..., None], 3, axis=2)
    assert_decodes(encode(Image.fromarray(grey), 'PNG'), expected)
    expected[0, 1] = 0
    assert_decodes(encode(Image.fromarray(grey), 'PNG', transparency=65_535), expected)


@pytest.mark.parametrize('file_format', ['PNG', 'WEBP'])
@pytest.mark.parametrize('mode', ['RGBA', 'LA'])
def test_what_is_transparent_is_laid_on_black(mode: str, file_format: str) -> None:
    image = colours().convert(mode)
    alpha = np.zeros((60, 91), np.uint8)
    alpha[:20], alpha[20:40] = 255, 128
    image.putalpha(Image.fromarray(alpha))
    pixels = decode(encode(image, file_format, lossless=True))
    opaque = np.asarray(image.convert('RGB'), int)
    np.testing.assert_array_equal(pixels[:20], opaque[:20])
    np.testing.assert_allclose(pixels[20:40], opaque[20:40] * (128 / 255), atol=1)
    assert not pixels[40:].any()


@pytest.mark.parametrize('mode', ['1', 'L', 'P', 'RGB'])
def test_a_transparent_colour_becomes_black(mode: str) -> None:
    white = Image.new('RGB', (4, 6), 'white')
    white.paste((204, 204, 204), (0, 0, 2, 6))
    image = white.convert(mode)
    colour = image.getpixel((3, 0))
    encoded = encode(image, 'PNG', transparency=bytes([255] * colour + [0]) if mode == 'P' else colour)
    pixels = decode(encoded)
    assert not pixels[:, 2:].any() and (mode == '1' or (pixels[:, :2] == 204).all())


@pytest.mark.parametrize('orientation', range(1, 9))
@pytest.mark.parametrize('file_format', ['JPEG', 'PNG', 'WEBP'])
def test_exif_rotation(file_format: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    encoded = encode(colours(), file_format, exif=exif)
    with Image.open(io.BytesIO(encoded)) as image:
        upright = np.asarray(ImageOps.exif_transpose(image))
    assert_decodes(encoded, upright, exif_rotation=True)
    assert_decodes(encoded, by_pillow(encoded))
    assert size(encoded) == (60, 91)


@pytest.mark.parametrize(
    'exif',
    [
        b'nonsense',
        b'II*\0\x08\0\0\0\x01\0' + struct.pack('<HHII', 0x0112, 2, 4, 0x363636) + bytes(4),
        b'II*\0\x08\0\0\0\x01\0' + struct.pack('<HHII', 0x011A, 5, 9999, 9999) + bytes(4),
    ],
)
@pytest.mark.parametrize('mode', ['RGB', 'CMYK'])
def test_a_damaged_exif_block_is_passed_over_without_a_warning(mode: str, exif: bytes) -> None:
    importlib.reload(decoding)  # sets its filter of warnings, which pytest has taken back, once more
    jpeg = encode(colours().convert(mode), 'JPEG')
    block = b'Exif\0\0' + exif
    encoded = jpeg[:2] + b'\xff\xe1' + struct.pack('>H', len(block) + 2) + block + jpeg[2:]
    for exif_rotation in (False, True):
        assert_decodes(encoded, by_pillow(jpeg), exif_rotation=exif_rotation)


@pytest.mark.parametrize('file_format', ['JPEG', 'PNG', 'WEBP'])
def test_a_damaged_icc_profile_is_passed_over(file_format: str) -> None:
    assert_decodes(encode(colours(), file_format, icc_profile=b'nonsense'), by_pillow(encode(colours(), file_format)))


@pytest.mark.parametrize(('file_format', 'mode'), [('JPEG', 'RGB'), ('JPEG', 'CMYK'), ('PNG', 'RGB'), ('WEBP', 'RGB')])
def test_a_file_that_is_cut_off_is_refused_wherever_the_cut(file_format: str, mode: str) -> None:
    encoded = encode(colours().convert(mode), file_format)
    expected = decode(encoded)
    for length in [*range(0, len(encoded), 37), *range(len(encoded) - 20, len(encoded))]:
        try:
            pixels = decode(encoded[:length])
        except ValueError as e:
            assert str(e).isprintable() and len(str(e)) < 120
        else:  # nothing but the end marker, or a checksum, is missing
            assert length >= len(encoded) - 20
            np.testing.assert_array_equal(pixels, expected)


def test_the_reasons() -> None:
    jpeg = encode(colours(), 'JPEG')
    for encoded, reason in {
        b'': 'an empty file',
        b'hello\nworld': 'not a JPEG, PNG or WebP file',
        encode(colours(), 'GIF'): 'not a JPEG, PNG or WebP file',
        b'RIFF\0\0\0\0WAVE': 'unreadable WEBP: its structure is damaged',
        jpeg[:20]: 'unreadable JPEG: its structure is damaged',
        png(0, 5): 'unreadable PNG: its structure is damaged',
    }.items():
        for read in (size, decode):
            with pytest.raises(ValueError, match=f'^{reason}$'):
                read(encoded)
    assert size(jpeg[: len(jpeg) // 2]) == (60, 91)
    with pytest.raises(ValueError, match='^unreadable JPEG: image file is truncated'):
        decode(jpeg[: len(jpeg) // 2])


def test_damage_that_libjpeg_passes_over_is_passed_over() -> None:
    jpeg = encode(colours(), 'JPEG')
    for encoded in (jpeg + b'more', jpeg[:-2] + bytes(50) + jpeg[-2:], jpeg[:2000] + bytes(99) + jpeg[2099:]):
        assert_decodes(encoded, by_pillow(encoded))


@pytest.mark.parametrize(
    'encoded, says',
    [
        (png(100_000, 100_000), '100,000 x 100,000 pixels'),
        (with_size(encode(colours(), 'JPEG'), 65_500, 65_500), '65,500 x 65,500 pixels'),
        (b'RIFF\x1e\0\0\0WEBPVP8X\n\0\0\0' + bytes(4) + b'\xfe\x3f\0' * 2, 'Image size'),
    ],
)
def test_too_many_pixels_are_refused_by_the_header(encoded: bytes, says: str) -> None:
    for read in (size, decode):
        with pytest.raises(ValueError, match=says):
            read(encoded)


def test_many_pixels_are_no_reason_to_warn(monkeypatch: pytest.MonkeyPatch) -> None:
    encoded = encode(Image.new('1', (12_000, 8_000)), 'PNG')  # Pillow itself would warn
    assert size(encoded) == (8_000, 12_000)
    monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', 5000)
    assert decode(encode(colours(), 'PNG')).shape == (60, 91, 3)
    monkeypatch.setattr(decoding, 'MOST_PIXELS', 5459)
    with pytest.raises(ValueError, match='it has 60 x 91 pixels; it must have 1 to 5,459'):
        decode(encode(colours(), 'PNG'))
