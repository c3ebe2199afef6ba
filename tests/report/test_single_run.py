"""A look at one run: where it comes from, and where it is wrong."""

import json
from pathlib import Path

import numpy as np

from jax_resnet.report import single_run
from jax_resnet.runs import outputs
from jax_resnet.runs import run as runs
from jax_resnet.runs.run_folder import RunFolder
from tests.report.conftest import write_classes, write_run


def predictions(run: runs.Run) -> outputs.Predictions:
    found = RunFolder(run.folder).predictions()
    assert found is not None
    return found


def test_where_a_run_is_wrong(tmp_path: Path) -> None:
    run = runs.read(write_run(tmp_path / 'a'))
    found = predictions(run)
    np.testing.assert_array_equal(single_run.confusion(found), [[1, 1, 0], [0, 2, 0], [0, 0, 0]])
    ((png, caption),) = single_run.mistakes(run, found)
    assert caption == 'cat, predicted dog\n90.9 %' and png.startswith(b'\x89PNG')
    ((_, caption),) = single_run.mistakes(run, found._replace(files=tuple('abcd')))
    assert caption == 'cat, predicted dog\n90.9 %\nb'


def of_many_classes(folder: Path, classes: int) -> runs.Run:
    """A run of so many classes: of each example of class k, class k - 1 is predicted, 30 times 1, 29 times 2 ..."""
    write_run(folder)
    labels = np.repeat(np.arange(1, 31), np.arange(30, 0, -1)).astype(np.int32)
    logits = 4 * np.eye(classes, dtype=np.float32)[np.append(labels - 1, [7] * 99)]
    write_classes(folder, [f'c{i}' for i in range(classes)])
    mistakes = {'index': np.array([1]), 'images': np.full((1, 8, 8, 1), 128, np.uint8)}
    RunFolder(folder).write_predictions(logits, np.append(labels, np.int32([7] * 99)), mistakes)
    return runs.read(folder)


def test_above_a_hundred_classes_the_most_frequent_confusions_take_the_place_of_the_matrix(tmp_path: Path) -> None:
    first = {
        100: {'class': 'c1', 'predicted': 'c0', 'count': 30, 'share': 100.0},
        101: {'name': 'c1 → c0', 'length': 30},
    }
    for classes, count in ((100, 31), (101, 20)):
        run = of_many_classes(tmp_path / str(classes), classes)
        drawn = single_run.charts(run, predictions(run))
        values = drawn['confusion'].to_dict()['data']['values']
        assert [*drawn] == ['confusion', 'classes'] and len(values) == count and values[0] == first[classes]
        ((_, caption),) = single_run.mistakes(run, predictions(run))
        assert caption.startswith('c1, predicted c0\n')


def test_a_run_tells_its_config_dates_commit_versions_and_device(tmp_path: Path) -> None:
    folder = write_run(tmp_path / 'net' / 'seed0', file='configs/net.py', **{'dataset.folder': '/my/pictures'})
    start = {'step': 0, 'versions': {'python': '3.11.7', 'jax': '0.10.2'}, 'git_commit': 'b7d771a+', 'jax_options': {}}
    starts = [
        {**start, 'device': 'another', 'date': '2026-11-24T10:00:00+00:00'},
        {**start, 'device': '1 x abacus', 'date': '2026-11-25T11:30:00+00:00'},
    ]
    (folder / 'environment.json').write_text(json.dumps(starts))
    told = dict(single_run.facts(runs.read(folder)))
    assert told['config'] == 'configs/net.py'
    assert (told['started'], told['last continued']) == ('2026-11-24 10:00:00 UTC', '2026-11-25 11:30:00 UTC')
    assert (told['device'], told['commit'], told['versions']) == ('1 x abacus', 'b7d771a+', 'python 3.11.7, jax 0.10.2')
    assert told['data set'] == '4 pictures of the test split in /my/pictures'
    assert ('model.depth', '8') in single_run.fields(runs.read(folder))
