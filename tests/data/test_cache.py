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
    assert len(calls) == 1 and [p.name for p in (tmp_path / 'jax_resnet').iterdir()] == ['k.safetensors']


def test_a_damaged_file_is_made_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    cache.load('k', lambda: made([]))
    path = cache.path('k')
    whole = path.read_bytes()
    for content in (whole[:20], whole[:-1] + bytes([whole[-1] ^ 1])):
        path.write_bytes(content)
        caplog.clear()
        np.testing.assert_array_equal(cache.load('k', lambda: made([]))['x'], np.arange(5))
        assert f'{path} is damaged' in caplog.text
        assert path.read_bytes() == whole


def test_without_a_place_to_write_it_is_said_and_goes_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / 'file').touch()
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'file'))
    with caplog.at_level(logging.WARNING):
        np.testing.assert_array_equal(cache.load('k', lambda: made([]))['x'], np.arange(5))
    assert 'cannot be cached' in caplog.text


def test_only_some_arrays_are_read(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    both = {'x': np.arange(5), 'y': np.arange(7)}
    assert cache.load('k', lambda: both, ['y']).keys() == {'y'}
    path = cache.path('k')
    path.write_bytes(path.read_bytes()[:-1] + b'!')  # damages the last array
    assert cache.load('k', dict, ['x']).keys() == {'x'}
    np.testing.assert_array_equal(cache.load('k', lambda: both, ['y'])['y'], both['y'])
    assert f"{path} is damaged (its array 'y' is not what was written)" in caplog.text
