"""Recipes in a person's words, and what is changed in a run."""

from pathlib import Path
from typing import Any

import pytest

from jax_resnet.config.fields import fields_with
from jax_resnet.report import columns, page, sections, wording
from tests.report.conftest import write_run


@pytest.mark.parametrize(
    ('field', 'value', 'text'),
    [
        ('train_for', '12 epochs', 'trained for 12 epochs'),
        ('schedule.drop_at', ('6 epochs', '90 steps'), 'learning rate drops at 6 epochs and 90 steps'),
        ('optimizer.nesterov', True, 'nesterov'),
        ('dataset.flip', False, 'no flip'),
        ('model.initialization', 'lecun', 'initialization lecun'),
        ('pictures.shorter_side', (256, 480), 'shorter side 256, 480'),
    ],
)
def test_fields_are_said_in_words(field: str, value: Any, text: str) -> None:
    assert wording.phrase(field, value) == text


def test_words_are_of_fields_that_there_are() -> None:
    assert {*wording.NAMES, *wording.PHRASES} <= {*fields_with()}


def test_a_run_says_what_is_changed_against_its_config(tmp_path: Path) -> None:
    file = 'configs/resnet20_cifar10.py'
    write_run(tmp_path / 'a', file=file)
    write_run(tmp_path / 'b', file=file, batch_size=64)
    write_run(tmp_path / 'c', 1, file=file, checkpoint_every='9 steps', keep_every='9 steps')
    (section,) = sections.read([tmp_path])
    label = 'resnet20_cifar10, batch size 64'
    assert {row.label: len(row.runs) for row in section.rows} == {'resnet20_cifar10': 2, label: 1}
    (alone,) = sections.read([tmp_path / 'b'])
    assert label in columns.as_csv(columns.numbers([alone])) and f'test error of {label} is' in page.plain(alone)


def test_what_all_rows_change_is_said_once(tmp_path: Path) -> None:
    for depth in (8, 14):
        changes = {'batch_size': 64, 'model.depth': depth}
        write_run(tmp_path / f'{depth}', file='configs/resnet20_cifar10.py', **changes)
    (section,) = sections.read([tmp_path])
    assert [*section.groups] == ['on digits, batch size 64']
    assert [row.label for row in section.rows] == ['resnet20_cifar10, depth 14', 'resnet20_cifar10, depth 8']
