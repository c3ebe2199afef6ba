"""The table's columns, numbers and notes."""

from pathlib import Path

import pytest

from jax_resnet.report import columns, reading
from tests.report.conftest import TEN_CROP, write_run, write_study, write_top5


def test_a_row_of_the_table(study: Path) -> None:
    (section,) = reading.read([study])
    made = columns.table(section)
    heads, cells = made.heads, made.rows
    row = dict(zip(heads, cells[0], strict=True))
    assert row == {
        '': 'rate 0.1',
        'network': 'ResNet-8',
        'parameters': '75,002',
        'multiply-adds': '3.0 M',
        'runs': '2 of 2',
        'test error': '11.00 ± 1.41',
        'median': '11.00',
        'epochs 3 to 4: mean (smallest to largest)': '15.50 (10.00 to 20.00)',
        'best test error': '11.00',
        'published': '9.00',
        'difference': '+2.00',
        'training error': '6.00',
        'time': '12 s',
        'device': '1 x cpu (2 cores)',
    }
    assert cells[1][heads.index('published')] == 'fail' and cells[1][heads.index('difference')] == columns.NONE
    text = made.text().splitlines()
    assert len(text) == 3 and text[1].startswith('rate 0.1  ') and text[0].endswith('device')


def test_top5_and_the_protocol_have_columns_where_a_run_has_them(tmp_path: Path) -> None:
    write_run(tmp_path / 'a' / 'seed0')
    write_top5(write_run(tmp_path / 'b' / 'seed0', batch_size=64))
    for seed, error in enumerate((9.5, 10.0)):
        folder = write_run(tmp_path / 'c' / f'seed{seed}', seed, batch_size=32)
        write_top5(folder, **TEN_CROP | {'protocol_test_error': error})
    folder = write_run(tmp_path / 'd' / 'seed0', batch_size=16)
    write_top5(folder, protocol='multi_scale', protocol_test_error=8.0)
    rows = [{'label': name, 'runs': [f'{name}/seed{i}' for i in range(1 + (name == 'c'))]} for name in 'abcd']
    (section,) = reading.read([write_study(tmp_path / 'studies' / 's', rows)])
    made = columns.table(section)
    heads = ['top-5 error', '10-crop test error', '10-crop top-5 error', 'multi-scale test error']
    at = made.heads.index('top-5 error')
    assert [*made.heads[at - 1 : at + 5]] == ['median', *heads, 'best test error']
    none = columns.NONE
    assert [row[at : at + 4] for row in made.rows] == [
        [none] * 4, ['4.00', none, none, none], ['4.00', '9.75', '3.25', none], ['4.00', none, none, '8.00'],
    ]  # fmt: skip
    assert f'Means over runs at the end of training: {", ".join(heads)}.' in columns.explain(section)
    numbers = columns.numbers([section])
    at = numbers.heads.index('test_top5_error_mean')
    assert [row[at : at + 4] for row in numbers.rows] == [
        [None] * 4, [4.0, None, None, None], [4.0, 'ten_crop', 9.75, 3.25], [4.0, 'multi_scale', 8.0, None],
    ]  # fmt: skip


def test_what_varied_is_said_in_words(tmp_path: Path) -> None:
    for name, way, head in (('a', 'fan_out', 1.0), ('b', 'fan_out_small_head', 10.0)):
        write_run(tmp_path / name / 'seed0', **{'schedule.head_factor': head, 'model.initialization': way})
    rows = [{'label': name, 'runs': [f'{name}/seed0']} for name in 'ab']
    (section,) = reading.read([write_study(tmp_path / 'studies' / 's', rows)])
    made = columns.varied(section)
    assert {*made.heads} == {'', "factor of the head's learning rate", 'initialization'}
    at = made.heads.index('initialization')
    assert [row[at] for row in made.rows] == ["He's by fan-out", "He's by fan-out, with N(0, 0.01) for the head"]


def test_what_is_changed_or_rehearsed_is_said(tmp_path: Path) -> None:
    write_run(tmp_path / 'a' / 'seed0')
    rows = [{'label': 'a', 'runs': ['a/seed0', 'b/seed0'], 'published': 9.0}]
    folder = write_study(
        tmp_path / 'studies' / 's', rows, changes={'train_for': '1 epoch'}, is_rehearsal=True, notes=['x: merged']
    )
    (section,) = reading.read([folder])
    notes = columns.explain(section)
    assert any(note.startswith('This is a rehearsal') for note in notes) and notes[-1] == 'x: merged'
    assert (
        'Changed in every run: trained for 1 epoch. Published numbers belong to the unchanged recipe, and are not shown.'
        in notes
    )
    assert columns.states(section) == ['2 runs: 1 finished, 1 missing', 'a, trained for 1 epoch, seed 1: missing']
    made = columns.table(section)
    heads, cells = made.heads, made.rows
    assert cells[0][0] == 'a, trained for 1 epoch' and not {'published', 'difference'} & {*heads}


@pytest.mark.parametrize(
    ('model', 'text'),
    [
        ({'name': 'cifar_plain', 'depth': 56}, 'plain-56'),
        ({'name': 'cifar_resnet', 'depth': 110, 'order': 'full_preactivation'}, 'pre-activation ResNet-110'),
        ({'name': 'imagenet_resnet', 'depth': 50, 'shortcut': 'B'}, 'ResNet-50'),
        ({'name': 'imagenet_resnet', 'depth': 34, 'shortcut': 'B'}, 'ResNet-34, shortcut B'),
        ({'name': 'scaled_resnet', 'width': 128}, 'scaled resnet'),
    ],
)
def test_networks_are_called_by_their_config(tmp_path: Path, model: dict, text: str) -> None:
    write_run(tmp_path / 'a' / 'seed0', model=model)
    (section,) = reading.read([tmp_path / 'a'])
    assert columns.network(section.rows[0]) == text


@pytest.mark.parametrize(
    ('seconds', 'text'), [(48.4, '48 s'), (725, '12 min 5 s'), (11_100, '3:05 h'), (10_800, '3:00 h')]
)
def test_durations(seconds: float, text: str) -> None:
    assert columns.duration(seconds) == text
