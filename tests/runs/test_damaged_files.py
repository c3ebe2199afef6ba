"""Files of a run, a result, a study and a card that someone changed by hand: one line, which says file and field."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jax_resnet.errors import ConfigError
from jax_resnet.runs import find, outputs, results_folder, run, weights
from tests.runs.conftest import LINE

ROOT = Path(__file__).parents[2]
RESULT = ROOT / 'results' / 'resnet20_digits' / 'seed0.json'
CARD = ROOT / 'results' / 'weights' / 'resnet20_digits.json'
STUDY = {
    'study': 's', 'file': 's.py', 'question': '?', 'about': '', 'source': '', 'measure': 'final', 'changes': {},
    'is_rehearsal': False, 'notes': [],
    'rows': [{'label': 'a', 'group': '', 'published': 8.75, 'published_text': '', 'window': None,
              'runs': [{'seed': 0, 'folder': '../seed0'}]}],
}  # fmt: skip
WRONG = ['null', '"x"', '[]', '{}', 'true', str(10**30), '-1', '1e400', '"\\ud800"', '[1,2]', '1.5', 'NaN', '9' * 5000]


@pytest.fixture
def folder(tmp_path: Path, finished_run: Path) -> Path:
    """A run folder with all its files, in a folder of the test's own."""
    copy = shutil.copytree(finished_run, tmp_path / 'run')
    (copy / 'metrics.jsonl').write_text(json.dumps(LINE) + '\n')
    return copy


def fields(value: Any, at: tuple = ()) -> list[tuple]:
    """The places in a JSON value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at, *(place for name, part in inner for place in fields(part, (*at, name)))]


def put(value: Any, at: tuple, what: str | None) -> str:
    """The JSON of a value with something else at a place; None leaves it out."""
    if not at:
        return what if what is not None else ''
    changed = json.loads(json.dumps(value))
    inside = changed
    for name in at[:-1]:
        inside = inside[name]
    if what is None:
        del inside[at[-1]]
        return json.dumps(changed)
    inside[at[-1]] = '@@'
    return json.dumps(changed).replace('"@@"', what)


def try_all(path: Path, read: Callable[[], object]) -> int:
    """Damages each field of a JSON file in every way; returns how many were refused. Others must read as before."""
    text = path.read_text()
    value, refused = json.loads(text), 0
    for at in fields(value):
        for what in (None, *WRONG):
            path.write_text(put(value, at, what) + '\n' * path.name.endswith('jsonl'))
            try:
                read()
            except ConfigError as e:
                refused += 1
                assert '\n' not in str(e) and path.name in str(e) and len(str(e)) < 1000, str(e)
    path.write_text(text)
    read()
    return refused


def test_every_file_of_a_run_folder(folder: Path) -> None:
    for name, at_least in (('config.json', 150), ('summary.json', 200), ('metrics.jsonl', 90)):
        assert try_all(folder / name, lambda: (run.read(folder).detail, run.read(folder).recipe)) > at_least
    from jax_resnet.runs.run_folder import RunFolder

    assert try_all(folder / 'environment.json', RunFolder(folder).starts) > 30


def test_results_studies_and_cards(tmp_path: Path) -> None:
    result = Path(shutil.copy(RESULT, tmp_path))

    def read_result() -> None:
        results_folder._read.cache_clear()
        run.read(result)

    value = json.loads(result.read_text())
    value['metrics'] = {name: column[:2] for name, column in value['metrics'].items()}
    result.write_text(json.dumps(value))
    assert try_all(result, read_result) > 500
    study = tmp_path / 'study.json'
    study.write_text(json.dumps(STUDY))
    assert try_all(study, lambda: find.read_study(study)) > 150
    card = Path(shutil.copy(CARD, tmp_path))
    assert try_all(card, lambda: weights.read_card(card)) > 500


@pytest.mark.parametrize(
    ('name', 'change', 'message'),
    [
        ('summary.json', {'protocol': 'center'}, "summary.json is damaged: protocol: invalid enum value 'center'"),
        ('summary.json', {'protocol_test_top5_error': -1.0}, r'protocol_test_top5_error: expected `float` >= 0.0 \(it is -1.0\)'),
        ('config.json', {'file': 3}, r'config.json is damaged: file: expected `str | null`, got `int` \(it is 3\)'),
        ('config.json', {'fields': {'seed': '<img src=x>'}}, r"damaged: fields.seed: expected `int`, got `str` \(it is '<img src=x>'\)"),
        ('config.json', {'fields': {'sede': 0}}, 'config.json is damaged: fields: object contains unknown field `sede`'),
        ('summary.json', {'final_test_error': 1e30}, r'summary.json is damaged: final_test_error: expected `float` <= 100.0 \(it is 1e\+30\)'),
        ('summary.json', {'class_errors': {'cat': []}}, r'summary.json is damaged: class_errors\[...\]: expected `float | null`'),
    ],
)  # fmt: skip
def test_the_line_names_file_field_and_what_was_found(folder: Path, name: str, change: dict, message: str) -> None:
    path = folder / name
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ConfigError, match=message):
        run.read(folder)


def test_further_fields_are_kept(folder: Path) -> None:
    summary = json.loads((folder / 'summary.json').read_text())
    summary['own'] = {'field': [1, 'x']}
    (folder / 'summary.json').write_text(json.dumps(summary))
    assert run.read(folder).summary['own'] == {'field': [1, 'x']}


@pytest.mark.parametrize('depth', [1000, 100_000])
def test_what_is_nested_deeply_is_one_line(folder: Path, depth: int) -> None:
    (folder / 'summary.json').write_text('[' * depth)
    with pytest.raises(ConfigError, match='summary.json is damaged'):
        run.read(folder)


def test_lines_whose_steps_do_not_increase(folder: Path) -> None:
    (folder / 'metrics.jsonl').write_text(2 * (json.dumps(LINE) + '\n'))
    with pytest.raises(ConfigError, match='metrics.jsonl is damaged: its steps do not increase'):
        run.read(folder)


@pytest.mark.parametrize(
    ('name', 'arrays'),
    [
        ('predictions.npz', {'logits': np.zeros((3, 2))}),
        ('predictions.npz', {'logits': np.zeros((3, 2)), 'labels': [0, 1, 2]}),
        ('predictions.npz', {'logits': np.zeros((3, 2)), 'labels': [0, 1]}),
        ('predictions.npz', {'logits': np.zeros(3), 'labels': [0, 1, 1]}),
        ('predictions.npz', {'logits': np.array([['x']]), 'labels': [0]}),
        ('mistakes.npz', {'index': [360], 'images': np.zeros((1, 2, 2, 1), np.uint8)}),
        ('mistakes.npz', {'index': [0], 'images': np.zeros((1, 2, 2, 1))}),
        ('preprocessing.npz', {'mean': np.nan}),
        ('preprocessing.npz', {'mean': np.zeros(7)}),
        ('preprocessing.npz', {'image_shape': [16, 16]}),
        ('preprocessing.npz', {'image_shape': [16, 16, 10**9]}),
        ('preprocessing.npz', {'crop': [1, 2]}),
        ('preprocessing.npz', {'crop': 17}),
        ('preprocessing.npz', {'std': 0.0}),
        ('preprocessing.npz', {'class_names': 3}),
        ('preprocessing.npz', {'class_names': [['0'], ['1']]}),
    ],
)
def test_arrays_that_do_not_fit(folder: Path, name: str, arrays: dict) -> None:
    if name == 'preprocessing.npz':
        with np.load(folder / name) as there:
            arrays = {**there, **arrays}
    np.savez(folder / name, **arrays)
    with pytest.raises(ConfigError, match=f'{name} (is damaged|cannot be read)') as raised:
        outputs.predictions(folder), outputs.mistakes(folder), outputs.preprocessing(folder)
    assert '\n' not in str(raised.value)


def test_an_array_that_is_missing(folder: Path) -> None:
    np.savez(folder / 'preprocessing.npz', mean=0.0)
    with pytest.raises(ConfigError, match='preprocessing.npz is damaged: it has no std'):
        outputs.preprocessing(folder)
