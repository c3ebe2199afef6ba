"""A look at one run."""

from pathlib import Path

import numpy as np
import pytest

from jax_resnet.report import single_run
from jax_resnet.runs import run as runs
from tests.report.conftest import write_run


def test_where_a_run_is_wrong(tmp_path: Path) -> None:
    run = runs.read(write_run(tmp_path / 'a'))
    np.testing.assert_array_equal(single_run.confusion(run), [[1, 1, 0], [0, 2, 0], [0, 0, 0]])
    (mistake,) = single_run.mistakes(run)
    chance = np.exp(3) / (np.exp(3) + 2)
    assert (mistake.label, mistake.named, mistake.probability) == ('cat', 'dog', pytest.approx(chance))
    assert mistake.caption == 'cat, named dog\n90.9 %'
    assert mistake.png().startswith(b'\x89PNG')


def test_a_run_without_predictions_has_none_of_it(tmp_path: Path) -> None:
    run = runs.read(write_run(tmp_path / 'a', state='stopped'))
    assert (single_run.confusion(run), single_run.mistakes(run), single_run.charts(run)) == (None, [], {})


def test_a_curve_in_the_terminal(tmp_path: Path) -> None:
    lines = single_run.curve(runs.read(write_run(tmp_path / 'a'))).splitlines()
    assert lines[0].startswith('  90 % |') and lines[11].startswith('   0 % |') and 'epoch 4.0' in lines[13]
    assert sum(line.count('o') for line in lines[:12]) == 4
    assert single_run.curve(runs.read(tmp_path / 'none')) == 'no evaluation yet'
