"""A damaged file of a run: one line, with the file's name and msgspec's or numpy's reason."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jax_resnet.errors import ConfigError
from jax_resnet.runs import run
from jax_resnet.runs.run_folder import RunFolder
from tests.runs.conftest import LINE

READERS: dict[str, Callable[[Path], Any]] = {
    'config.json': run.read,
    'summary.json': run.read,
    'metrics.jsonl': run.read,
    'environment.json': lambda folder: RunFolder(folder).starts(),
    'preprocessing.npz': lambda folder: RunFolder(folder).preprocessing(),
    'predictions.npz': lambda folder: RunFolder(folder).predictions(),
    'mistakes.npz': lambda folder: RunFolder(folder).mistakes(),
}


@pytest.fixture
def folder(tmp_path: Path, finished_run: Path) -> Path:
    """A run folder with all its files, in a folder of the test's own."""
    copy = shutil.copytree(finished_run, tmp_path / 'run')
    (copy / 'metrics.jsonl').write_text(json.dumps(LINE) + '\n')
    return copy


@pytest.mark.parametrize('name', READERS)
def test_a_damaged_file_is_one_line(folder: Path, name: str) -> None:
    READERS[name](folder)
    content = (folder / name).read_bytes()
    for damaged in (content[: len(content) // 2] + b'\n', b'3\n', b'\xff' + content[1:], b'[' * 100_000 + b'\n'):
        (folder / name).write_bytes(damaged)
        with pytest.raises(ConfigError, match=f'{name}.* (is damaged: |cannot be read )') as raised:
            READERS[name](folder)
        assert '\n' not in str(raised.value)
    (folder / name).unlink()
    (folder / name).mkdir()
    with pytest.raises((ConfigError, OSError), match='Is a directory'):
        READERS[name](folder)


@pytest.mark.parametrize(
    ('name', 'change', 'message'),
    [
        ('config.json', {'fields': {'seed': 'x'}}, 'config.json is damaged: Expected `int`, got `str` - at `$.fields.seed`'),
        ('summary.json', {'final_test_error': 1e30}, 'summary.json is damaged: Expected `float` <= 100.0 - at `$.final_test_error`'),
        ('metrics.jsonl', {'step': -1}, 'metrics.jsonl: line 1 is damaged: Expected `int` >= 0 - at `$.step`'),
    ],
)  # fmt: skip
def test_the_line_names_file_and_field(folder: Path, name: str, change: dict, message: str) -> None:
    path = folder / name
    path.write_text(json.dumps(json.loads(path.read_text()) | change) + '\n')
    with pytest.raises(ConfigError) as raised:
        READERS[name](folder)
    assert str(raised.value) == f'{folder}/{message}'


def test_arrays_that_are_missing_in_a_file_are_one_line(folder: Path) -> None:
    np.savez(folder / 'mistakes.npz', other=0.0)
    with pytest.raises(ConfigError, match='mistakes.npz cannot be read .*index'):
        RunFolder(folder).mistakes()
