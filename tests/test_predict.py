"""`python -m jax_resnet.predict`: what it reads, and in which batches. `training/test_load.py` has more."""

import struct
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

import jax_resnet
from jax_resnet import predict

ORIENTATION = struct.pack('<HHII', 0x0112, 3, 1, 6)


class Net(SimpleNamespace):
    """Stands for a trained network; records the sizes of its batches."""

    image_shape, pictures, class_names = (8, 8, 1), None, tuple('ab')

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        self.sizes.append(len(images))
        share = images.mean((1, 2, 3)) / 255
        return np.stack([share, 1 - share], axis=1)


def call(monkeypatch: pytest.MonkeyPatch, load: Any, *arguments: object) -> int:
    monkeypatch.setattr(jax_resnet, 'load', load)
    monkeypatch.setattr(sys, 'argv', ['predict', 'run', *map(str, arguments)])
    return predict.main()


@pytest.mark.parametrize('wrong', [struct.pack('<HHII', 0x010E, 5, 1, 38), struct.pack('<HHII', 0x011A, 2, 9, 38)])
def test_a_tag_of_a_wrong_type_beside_a_good_orientation(tmp_path: Path, wrong: bytes) -> None:
    """ImageDescription as a fraction, and XResolution as text: Pillow reads them, but cannot write them again."""
    image = Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8) * 3)
    exif = b'II*\0\x08\0\0\0\x02\0' + b''.join(sorted([wrong, ORIENTATION])) + bytes(4) + b'12345678\0'
    image.save(tmp_path / 'image.jpg', quality=100, exif=b'Exif\0\0' + exif)
    image.save(tmp_path / 'upright.jpg', quality=100)
    upright = Image.open(tmp_path / 'upright.jpg').transpose(Image.Transpose.ROTATE_270)
    np.testing.assert_array_equal(predict.read_image(tmp_path / 'image.jpg', (8, 8, 1))[..., 0], upright)


@pytest.mark.parametrize('orientation', [1, 5, 8])
@pytest.mark.parametrize('mode', ['1', 'L', 'LA', 'P', 'RGB', 'RGBA'])
@pytest.mark.parametrize('channels', [1, 3])
def test_images_are_read_as_by_pillow(tmp_path: Path, mode: str, channels: int, orientation: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (9, 12, 4), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(pixels).convert(mode).save(tmp_path / 'image.png', exif=exif)
    with Image.open(tmp_path / 'image.png') as file:
        image: Image.Image = ImageOps.exif_transpose(file)
    if image.has_transparency_data:
        image = Image.alpha_composite(Image.new('RGBA', image.size, '#80ff01'), image.convert('RGBA'))
    expected = ImageOps.fit(image.convert('L' if channels == 1 else 'RGB'), (7, 8), Image.Resampling.BICUBIC)
    found = predict.read_image(tmp_path / 'image.png', (8, 7, channels), '#80ff01')
    np.testing.assert_array_equal(found, np.asarray(expected).reshape(8, 7, channels))


def test_many_images_are_several_batches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    paths = [tmp_path / f'{i}.png' for i in range(5)]
    for i, path in enumerate(paths):
        Image.new('L', (8, 8), 50 * i).save(path)
    monkeypatch.setattr(predict, 'CHUNK', 2)
    net = Net(sizes=[])
    assert call(monkeypatch, lambda *_: net, *paths) == 0 and net.sizes == [2, 2, 1]
    lines = capsys.readouterr().out.splitlines()
    assert lines[::3] == [str(path) for path in paths]
    assert [line.split() for line in lines[13:]] == [['a', '78.43', '%'], ['b', '21.57', '%']]


def test_a_lack_of_memory_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    def load(*_: object) -> None:
        raise RuntimeError('RESOURCE_EXHAUSTED: Out of memory')

    assert call(monkeypatch, load, 'image.png') == 2
    error = capsys.readouterr().err
    assert error.startswith('error: out of memory (RESOURCE_EXHAUSTED') and len(error.splitlines()) == 1
