"""Files of weights: what is written is read again, and a damaged file is one line."""

import os
import stat
from pathlib import Path

import numpy as np
import pytest

from jax_resnet.errors import ConfigError, DataError
from jax_resnet.runs import weights
from jax_resnet.runs.outputs import Preprocessing
from tests.conftest import whole_config

ARRAYS = {'params/head/kernel': np.arange(12, dtype=np.float32).reshape(3, 4), 'params/head/bias': np.ones(4)}
ABOUT = Preprocessing(np.float32([0.1]), np.float32([0.3]), 0, (8, 8, 1), ('cat', 'dog'))


def test_what_is_written_is_read_and_has_the_mode_of_the_umask(tmp_path: Path) -> None:
    path, old = tmp_path / 'w.safetensors', os.umask(0o027)
    kernel = ARRAYS['params/head/kernel']
    try:
        weights.write(path, {**ARRAYS, 'fortran': np.asfortranarray(kernel), 'one': np.float32(3)})
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640 and [*tmp_path.iterdir()] == [path]
    found = weights.read(path)
    np.testing.assert_array_equal(found.arrays['params/head/kernel'], kernel)
    np.testing.assert_array_equal(found.arrays['fortran'], kernel)
    assert found.arrays['one'].shape == () and found.arrays['params/head/bias'].flags.writeable
    assert found.network is None and found.preprocessing is None and weights.read(path).card is None


def test_a_card_says_what_the_network_is_and_how_images_become_its_input(tmp_path: Path) -> None:
    path, config = tmp_path / 'w.safetensors', whole_config()
    card = {'file': 'configs/x.py', 'changes': {'schedule.drop_at': ('6 steps',)}, 'fields': config, 'test_error': 8.75}
    weights.write(path, ARRAYS, card)
    assert weights.read(path).network == config and weights.read(path).preprocessing is None
    weights.write(path, ARRAYS, card, ABOUT)
    found = weights.read(path)
    assert found.arrays.keys() == ARRAYS.keys() and found.network == config and found.preprocessing == ABOUT
    assert weights.read(path).card['test_error'] == 8.75


def test_a_damaged_or_foreign_file_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / 'w.safetensors'
    card = {'file': None, 'changes': {}, 'fields': whole_config()}
    weights.write(path, ARRAYS, card, ABOUT)
    good = path.read_bytes()
    flipped = good[:-3] + bytes([good[-3] ^ 1]) + good[-2:]
    for content, message in (
        (good[:-1], 'cannot be read as weights .Error while deserializing header'),
        (flipped, 'is damaged: wrong SHA-256'),
        (good.replace(rb'\"test_crop\":0', rb'\"test_crop\":1'), 'is damaged: wrong SHA-256'),
        (good.replace(rb'\"seed\":0', rb'\"sead\":0'), 'the card in its header is damaged: .*unknown field `sead`'),
    ):
        path.write_bytes(content)
        with pytest.raises((ConfigError, DataError), match=f'w.safetensors: {message}') as raised:
            weights.read(path)
        assert '\n' not in str(raised.value)
    with pytest.raises(DataError, match=r'no\\nline.safetensors: cannot be read as weights'):
        weights.read(tmp_path / 'no\nline.safetensors')
