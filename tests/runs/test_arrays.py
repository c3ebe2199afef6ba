"""Files of arrays that are damaged, hostile or no files: one line each, and never other numbers than were written."""

import io
import os
import random
import stat
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from jax_resnet.errors import DataError
from jax_resnet.runs import arrays, weights

ARRAYS = {'params/head/kernel': np.arange(12, dtype=np.float32).reshape(3, 4), 'params/head/bias': np.ones(4)}


def header(text: str, version: bytes = b'\x01\x00') -> bytes:
    return b'\x93NUMPY' + version + struct.pack('<H', len(text)) + text.encode()


def packed(content: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, 'w') as archive:
        archive.writestr('x.npy', content)
    return file.getvalue()


BAD = {
    'no zip': b'PK\x03\x04' + bytes(50),
    'no array': packed(b'text'),
    'nothing': packed(b''),
    'open bracket': packed(header("{'descr': '<f4', 'fortran_order': False, 'shape': (") + bytes(4)),
    'expression': packed(header('__import__("os")') + bytes(4)),
    'objects': packed(header("{'descr': '|O', 'fortran_order': False, 'shape': (1,)}") + bytes(8)),
    'terabytes': packed(header("{'descr': '<f4', 'fortran_order': False, 'shape': (1099511627776,)}") + bytes(4)),
    'too short': packed(header("{'descr': '<f4', 'fortran_order': False, 'shape': (3,)}") + bytes(8)),
}


@pytest.mark.parametrize('name', BAD)
def test_a_broken_npz_is_one_line(tmp_path: Path, name: str) -> None:
    path = tmp_path / 'w.npz'
    path.write_bytes(BAD[name])
    with pytest.raises(DataError, match='w.npz: cannot be read as weights') as raised:
        weights.read(path)
    assert '\n' not in str(raised.value) and len(str(raised.value)) < 400


@pytest.mark.parametrize('compressed', [False, True])
def test_no_flipped_bit_of_an_npz_gives_other_numbers(compressed: bool) -> None:
    content = arrays.as_npz(ARRAYS, compressed)
    flips = random.Random(0).sample(range(8 * len(content)), 3000)
    for bit in flips:
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        try:
            found = arrays.from_npz(bytes(damaged))
        except ValueError:
            continue
        for name in found.keys() & ARRAYS.keys():
            np.testing.assert_array_equal(found[name], ARRAYS[name])


@pytest.mark.parametrize('suffix', weights.SUFFIXES)
def test_what_is_written_is_read_and_has_the_mode_of_the_umask(tmp_path: Path, suffix: str) -> None:
    path, old = tmp_path / f'w{suffix}', os.umask(0o027)
    try:
        weights.write(
            path, {**ARRAYS, 'fortran': np.asfortranarray(ARRAYS['params/head/kernel']), 'one': np.float32(3)}
        )
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    found = weights.read(path).arrays
    np.testing.assert_array_equal(found['params/head/kernel'], ARRAYS['params/head/kernel'])
    np.testing.assert_array_equal(found['fortran'], ARRAYS['params/head/kernel'])
    assert found['one'].shape == () and found['params/head/bias'].flags.writeable
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize('suffix', weights.SUFFIXES)
def test_pipes_and_folders_are_refused_not_waited_for(tmp_path: Path, suffix: str) -> None:
    os.mkfifo(tmp_path / f'pipe{suffix}')
    (tmp_path / f'folder{suffix}').mkdir()
    (tmp_path / f'device{suffix}').symlink_to('/dev/zero')
    for name in ('pipe', 'folder', 'device'):
        with pytest.raises(DataError, match=f'{name}{suffix}: cannot be read as weights .not a regular file'):
            weights.read(tmp_path / f'{name}{suffix}')


def test_a_name_with_a_newline_is_quoted(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"'.*two\\nlines.npz': cannot be read as weights") as raised:
        weights.read(tmp_path / 'two\nlines.npz')
    assert '\n' not in str(raised.value)
