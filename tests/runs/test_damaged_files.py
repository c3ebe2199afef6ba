"""A damaged file of a run, a result or a study: one line, with the file's name and msgspec's or numpy's reason."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jax_resnet.errors import ConfigError
from jax_resnet.runs import run, schemas
from jax_resnet.runs.run_folder import RunFolder
from tests.runs.conftest import LINE, STUDY

ROOT = Path(__file__).parents[2]
READERS: dict[str, Callable[[Path], Any]] = {
    'config.json': run.read,
    'summary.json': run.read,
    'metrics.jsonl': run.read,
    'environment.json': lambda folder: RunFolder(folder).starts(),
    'result.json': lambda folder: run.read(folder / 'result.json'),
    'study.json': lambda folder: schemas.read(folder / 'study.json', schemas.Study),
}


@pytest.fixture
def folder(tmp_path: Path, finished_run: Path) -> Path:
    """A run folder with all its files, in a folder of the test's own; and a result and a study."""
    copy = shutil.copytree(finished_run, tmp_path / 'run')
    (copy / 'metrics.jsonl').write_text(json.dumps(LINE) + '\n')
    shutil.copy(ROOT / 'results' / 'resnet20_digits' / 'seed0.json', copy / 'result.json')
    (copy / 'study.json').write_text(json.dumps(STUDY))
    return copy


@pytest.mark.parametrize('name', READERS)
def test_a_damaged_file_is_one_line(folder: Path, name: str) -> None:
    READERS[name](folder)
    content = (folder / name).read_bytes()
    for damaged in (content[: len(content) // 2] + b'\n', b'3\n', b'\xff' + content, b'[' * 100_000 + b'\n'):
        (folder / name).write_bytes(damaged)
        with pytest.raises(ConfigError, match=f'{name}.* is damaged: ') as raised:
            READERS[name](folder)
        assert '\n' not in str(raised.value)
    (folder / name).unlink()
    (folder / name).mkdir()
    with pytest.raises((ConfigError, OSError), match='not a regular file'):
        READERS[name](folder)


@pytest.mark.parametrize(
    ('name', 'change', 'message'),
    [
        ('config.json', {'fields': {'seed': 'x'}}, 'config.json is damaged: Expected `int`, got `str` - at `$.fields.seed`'),
        ('config.json', {'fields': {'model': {}}}, 'config.json is damaged: Object missing required field `name` - at `$.fields.model`'),
        ('summary.json', {'final_test_error': 1e30}, 'summary.json is damaged: Expected `float` <= 100.0 - at `$.final_test_error`'),
        ('metrics.jsonl', {'step': -1}, 'metrics.jsonl: line 1 is damaged: Expected `int` >= 0 - at `$.step`'),
        ('study.json', {'rows': [{}]}, 'study.json is damaged: Object missing required field `label` - at `$.rows[0]`'),
    ],
)  # fmt: skip
def test_the_line_names_file_and_field(folder: Path, name: str, change: dict, message: str) -> None:
    path = folder / name
    path.write_text(json.dumps(json.loads(path.read_text()) | change) + '\n')
    with pytest.raises(ConfigError) as raised:
        READERS[name](folder)
    assert str(raised.value) == f'{folder}/{message}'


@pytest.mark.parametrize('name', ['preprocessing.npz', 'predictions.npz', 'mistakes.npz'])
def test_damaged_arrays_are_one_line(folder: Path, name: str) -> None:
    read = getattr(RunFolder(folder), name.removesuffix('.npz'))
    content = (folder / name).read_bytes()
    for damaged in (b'', content[:100], content[:60] + bytes(9) + content[69:]):
        (folder / name).write_bytes(damaged)
        with pytest.raises(ConfigError, match=f'{name} cannot be read') as raised:
            read()
        assert '\n' not in str(raised.value)
    np.savez(folder / name, other=0.0)
    with pytest.raises(ConfigError, match=f'{name} cannot be read '):
        read()
