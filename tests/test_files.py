"""Files are written whole or not at all. Paths, streams and errors are what a person expects."""

import contextlib
import io
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from jax_resnet import files
from jax_resnet.errors import ConfigError


def test_all_files_are_written_or_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [tmp_path / name for name in ('a', 'b')]
    names[0].write_bytes(b'good')
    synced: list[int] = []

    def fsync(descriptor: int) -> None:
        synced.append(descriptor)
        if len(synced) == 2:
            raise OSError(28, os.strerror(28))

    with monkeypatch.context() as patch:
        patch.setattr(os, 'fsync', fsync)
        with pytest.raises(OSError, match=f"No space left on device: '{names[1]}'"):
            files.write(dict.fromkeys(names, b'new'))
    assert [*tmp_path.iterdir()] == names[:1] and names[0].read_bytes() == b'good'
    files.write(dict.fromkeys(names, b'new'))
    assert [name.read_bytes() for name in sorted(tmp_path.iterdir())] == [b'new'] * 2


@pytest.mark.parametrize('make', [os.mkfifo, os.mkdir])
def test_only_files_are_replaced(make: Any, tmp_path: Path) -> None:
    make(tmp_path / 'it')
    with pytest.raises(OSError, match='not a regular file'):
        files.write({tmp_path / 'it': b'new'})
    assert not (tmp_path / 'it').is_file() and len([*tmp_path.iterdir()]) == 1


def test_a_path_of_a_person(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('HOME', '/home/me')
    assert [str(files.local(path)) for path in ('~/run', '~nobody?/run', 'run~')] == [
        '/home/me/run',
        '~nobody?/run',
        'run~',
    ]
    for address in ('gs://b/run', 's3://b', Path('gs://b/run')):
        with pytest.raises(ConfigError, match='must be a path on this machine, not an address'):
            files.local(address)


def test_an_error_is_one_line() -> None:
    assert str(ConfigError('a\nb\x1b[1mé: is not\udc80 known')) == 'a\\nb\\x1b[1mé: is not\\udc80 known'


class Lines:
    """A stream that can only write."""

    write = staticmethod(len)


def test_one_can_always_write_to_standard_streams() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    closed, broken = io.StringIO(), os.fdopen(writer, 'w')
    closed.close()
    for stream in (None, Lines(), closed, broken):
        with contextlib.redirect_stdout(stream), files.safe_streams():  # type: ignore[type-var]
            print('text', flush=True)
            assert not sys.stdout.isatty()
    broken.close()  # what it had buffered is dropped
    before, (one, other) = sys.stdout, (files.safe_streams(), files.safe_streams())
    one.__enter__(), other.__enter__(), one.__exit__(None, None, None), other.__exit__(None, None, None)  # two threads
    assert sys.stdout is before
