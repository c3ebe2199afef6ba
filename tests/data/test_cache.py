import logging
from pathlib import Path

import numpy as np
import pytest

from jax_resnet.data import cache


def made(calls: list) -> dict:
    calls.append(1)
    return {'x': np.arange(5)}


def test_made_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    calls: list = []
    for _ in range(2):
        np.testing.assert_array_equal(cache.load('k', lambda: made(calls))['x'], np.arange(5))
    assert len(calls) == 1 and [p.name for p in (tmp_path / 'jax_resnet').iterdir()] == ['k.npz']


@pytest.mark.parametrize('damage', [b'', b'PK nonsense', None])
def test_a_damaged_file_is_made_anew(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: bytes | None
) -> None:
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    calls: list = []
    cache.load('k', lambda: made(calls))
    path = tmp_path / 'jax_resnet' / 'k.npz'
    whole = path.read_bytes()
    path.write_bytes(whole[:-40] if damage is None else damage)
    np.testing.assert_array_equal(cache.load('k', lambda: made(calls))['x'], np.arange(5))
    assert len(calls) == 2 and 'damaged' in caplog.text and path.read_bytes() == whole


def test_without_a_place_to_write_it_is_said_and_goes_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / 'file').touch()
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'file'))
    with caplog.at_level(logging.WARNING):
        np.testing.assert_array_equal(cache.load('k', lambda: made([]))['x'], np.arange(5))
    assert 'cannot be cached' in caplog.text
