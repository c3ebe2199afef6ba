"""The command `predict`: what it reads, and in which batches. `training/test_load.py` has more."""

import json
import struct
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image, ImageOps

import jax_resnet
from jax_resnet.commands import predict
from tests.conftest import Ended

ORIENTATION = struct.pack('<HHII', 0x0112, 3, 1, 6)


class Net(SimpleNamespace):
    """Stands for a trained network; records the sizes of its batches."""

    image_shape, pictures, class_names = (8, 8, 1), None, tuple('ab')

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        self.sizes.append(len(images))
        share = images.mean((1, 2, 3)) / 255
        return np.stack([share, 1 - share], axis=1)


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
        image = Image.alpha_composite(Image.new('RGBA', image.size, 'black'), image.convert('RGBA'))
    expected = ImageOps.fit(image.convert('L' if channels == 1 else 'RGB'), (7, 8), Image.Resampling.BICUBIC)
    found = predict.read_image(tmp_path / 'image.png', (8, 7, channels))
    np.testing.assert_array_equal(found, np.asarray(expected).reshape(8, 7, channels))


def test_a_folder_and_files_are_several_batches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Callable[..., Ended]
) -> None:
    paths = [
        tmp_path / 'folder' / 'a.png',
        tmp_path / 'folder' / 'in' / 'b.PNG',
        *(tmp_path / f'{i}.png' for i in '01'),
    ]
    for i, path in enumerate(paths):
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new('L', (8, 8), 51 * i).save(path)
    (tmp_path / 'folder' / 'notes.txt').touch()
    (tmp_path / 'folder' / '__MACOSX').mkdir()
    for ignored in ('._a.png', '__MACOSX/a.png'):
        (tmp_path / 'folder' / ignored).touch()
    monkeypatch.setattr(predict, 'CHUNK', 3)
    net = Net(sizes=[])
    monkeypatch.setattr(jax_resnet, 'load', lambda *_: net)
    given = (tmp_path / 'folder', *paths[2:])
    ended = command('predict', 'run', *given)
    assert ended.code == 0 and net.sizes == [3, 1]
    lines = ended.out.splitlines()
    assert lines[::3] == [str(path) for path in paths]
    assert [line.split() for line in lines[10:]] == [['a', '60.00', '%'], ['b', '40.00', '%']]
    found = json.loads(command('predict', 'run', *given, '--json').out)
    assert [one['picture'] for one in found] == lines[::3] and found[0]['classes'][0] == {'name': 'b', 'probability': 1}
    (tmp_path / 'empty').mkdir()
    assert 'empty: has no pictures (.jpg, .jpeg, .png, .webp)' in command('predict', 'run', tmp_path / 'empty').err


def test_a_lack_of_memory_is_one_line(monkeypatch: pytest.MonkeyPatch, command: Callable[..., Ended]) -> None:
    def load(*_: object) -> None:
        raise RuntimeError('RESOURCE_EXHAUSTED: Out of memory')

    monkeypatch.setattr(jax_resnet, 'load', load)
    code, _, error = command('predict', 'run', __file__)
    assert code == 2 and error.startswith('error: out of memory (RESOURCE_EXHAUSTED') and len(error.splitlines()) == 1
