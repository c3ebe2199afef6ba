"""A look at one run."""

from pathlib import Path

import numpy as np
import pytest

from jax_resnet.errors import ConfigError
from jax_resnet.report import predictions, terminal
from jax_resnet.runs import run as runs
from jax_resnet.runs.run_folder import RunFolder
from tests.report.conftest import write_classes, write_run


def test_where_a_run_is_wrong(tmp_path: Path) -> None:
    run = runs.read(write_run(tmp_path / 'a'))
    found = predictions.read(run)
    assert found is not None
    np.testing.assert_array_equal(found.confusion, [[1, 1, 0], [0, 2, 0], [0, 0, 0]])
    (mistake,) = found.mistakes
    chance = np.exp(3) / (np.exp(3) + 2)
    assert (mistake.label, mistake.predicted, mistake.probability) == ('cat', 'dog', pytest.approx(chance))
    assert mistake.caption == 'cat, predicted dog\n90.9 %'
    assert mistake.png().startswith(b'\x89PNG')


def of_many_classes(folder: Path, classes: int) -> runs.Run:
    """A run of so many classes: of each example of class k, class k - 1 is predicted, 30 times 1, 29 times 2 ..."""
    write_run(folder)
    labels = np.repeat(np.arange(1, 31), np.arange(30, 0, -1)).astype(np.int32)
    logits = 4 * np.eye(classes, dtype=np.float32)[np.append(labels - 1, [7] * 99)]
    write_classes(folder, [f'c{i}' for i in range(classes)])
    mistakes = {'index': np.array([1]), 'images': np.full((1, 8, 8, 1), 128, np.uint8)}
    RunFolder(folder).write_predictions(logits, np.append(labels, np.int32([7] * 99)), mistakes)
    return runs.read(folder)


@pytest.mark.parametrize('classes', [100, 1000])
def test_mistakes_and_confusions_of_many_classes(tmp_path: Path, classes: int) -> None:
    found = predictions.read(of_many_classes(tmp_path / 'a', classes))
    assert found is not None
    assert found.confusions() == [(f'c{k}', f'c{k - 1}', 31 - k) for k in range(1, 21)]
    assert found.confusion.shape == (classes, classes) and found.confusion[7, 7] == 99
    (mistake,) = found.mistakes
    chance = np.exp(4) / (np.exp(4) + classes - 1)
    assert (mistake.label, mistake.predicted, mistake.probability) == ('c1', 'c0', pytest.approx(chance))


def test_above_a_hundred_classes_the_most_frequent_confusions_take_the_place_of_the_matrix(tmp_path: Path) -> None:
    pytest.importorskip('altair')
    values = {}
    for classes in (100, 101):
        run = of_many_classes(tmp_path / str(classes), classes)
        drawn = predictions.charts(run, predictions.read(run))
        assert [*drawn] == ['confusion', 'classes']
        values[classes] = drawn['confusion'].to_dict()['data']['values']
    assert len(values[100]) == 31 and values[100][0] == {'class': 'c1', 'predicted': 'c0', 'count': 30, 'share': 100.0}
    assert len(values[101]) == 20 and values[101][0] == {'name': 'c1 → c0', 'length': 30}


def test_a_run_without_predictions_has_none_of_it(tmp_path: Path) -> None:
    run = runs.read(write_run(tmp_path / 'a', state='stopped'))
    assert predictions.read(run) is None and predictions.charts(run, None) == {}


def test_a_curve_in_the_terminal(tmp_path: Path) -> None:
    lines = terminal.curve(runs.read(write_run(tmp_path / 'a'))).splitlines()
    assert lines[0].startswith('  90 % |') and lines[11].startswith('   0 % |') and 'epoch 4.0' in lines[13]
    assert sum(line.count('o') for line in lines[:12]) == 4
    assert terminal.curve(runs.read(tmp_path / 'none')) == 'no evaluation yet'


def test_damaged_predictions_are_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    run = runs.read(write_run(tmp_path / 'a'))
    content = (run.folder / 'predictions.npz').read_bytes()
    for damaged in (b'', b'not an archive', content[:200], content[:60] + bytes(9) + content[69:]):
        (run.folder / 'predictions.npz').write_bytes(damaged)
        with pytest.raises(ConfigError, match='predictions.npz'):
            predictions.read(run)
    assert predictions.read_if_undamaged(run) is predictions.read_if_undamaged(run) is None
    assert len(caplog.records) == 1 and 'left out: ' in caplog.text
