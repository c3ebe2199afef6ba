"""Files are written whole or not at all."""

import os
from pathlib import Path
from typing import Any

import pytest

from jax_resnet import files


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
            files.write_all(dict.fromkeys(names, b'new'))
    assert [*tmp_path.iterdir()] == names[:1] and names[0].read_bytes() == b'good'
    files.write_all(dict.fromkeys(names, b'new'))
    assert [name.read_bytes() for name in sorted(tmp_path.iterdir())] == [b'new'] * 2


@pytest.mark.parametrize('make', [os.mkfifo, os.mkdir])
def test_only_files_are_replaced(make: Any, tmp_path: Path) -> None:
    make(tmp_path / 'it')
    with pytest.raises(OSError, match='not a regular file'):
        files.write(tmp_path / 'it', b'new')
    assert not (tmp_path / 'it').is_file() and len([*tmp_path.iterdir()]) == 1
