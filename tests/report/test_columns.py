"""The table's columns, numbers and notes; one description for the terminal, Markdown and CSV."""

import csv
from pathlib import Path

from jax_resnet.report import columns, page, sections
from jax_resnet.report.columns import NONE, escaped, table
from tests.report.conftest import TEN_CROP, write_run, write_study, write_top5

EVIL = '<img src=x onerror=alert(1)>|[x](javascript:alert(1))\n# y'


def numbers(section: sections.Section) -> list[dict[str, str]]:
    return [*csv.DictReader(columns.as_csv(columns.numbers([section])).splitlines())]


def test_a_row_of_the_table(study: Path) -> None:
    (section,) = sections.read([study])
    made = table(section)
    heads, cells = made.heads, [cells for _, cells in made.rows]
    assert dict(zip(heads, cells[0], strict=True)) == {
        '': 'rate 0.1', 'final test error': '11.00 ± 1.41', 'published': '9.00', 'difference': '+2.00', 'seeds': '0, 1',
        'best test error': '11.00', 'training error': '6.00',
    }  # fmt: skip
    assert cells[1][2:4] == ['fail', NONE]
    same = 'runs 2 of 2, parameters 75,002, multiply-adds 3.0 M, time 0:00:12, device 1 x cpu (2 cores)'
    assert made.same == same and f'\nIn all rows: {same}' in page.plain(section)
    lines = made.plain().splitlines()
    assert len(lines) == 3 and lines[1].startswith('rate 0.1  ') and lines[0].endswith('training error')
    row, _ = numbers(section)
    assert (row['error'], row['measure'], row['parameters']) == ('11.0', 'final test error', '75002.0')


def test_top5_and_the_protocol_have_columns_where_a_run_has_them(tmp_path: Path) -> None:
    write_run(tmp_path / 'a' / 'seed0')
    write_top5(write_run(tmp_path / 'b' / 'seed0', batch_size=64))
    for seed, error in enumerate((9.5, 10.0)):
        folder = write_run(tmp_path / 'c' / f'seed{seed}', seed, batch_size=32)
        write_top5(folder, **TEN_CROP | {'protocol_test_error': error})
    folder = write_run(tmp_path / 'd' / 'seed0', batch_size=16)
    write_top5(folder, protocol='multi_scale', protocol_test_error=8.0)
    rows = [{'label': name, 'runs': [f'{name}/seed{i}' for i in range(1 + (name == 'c'))]} for name in 'abcd']
    (section,) = sections.read([write_study(tmp_path / 'studies' / 's', rows)])
    made, found = table(section), numbers(section)
    heads = ['top-5 error', '10-crop or multi-scale test error', '10-crop or multi-scale top-5 error']
    assert [[cells[made.heads.index(head)] for head in heads] for _, cells in made.rows] == [
        [NONE] * 3, ['4.00', NONE, NONE], ['4.00', '9.75', '3.25'], ['4.00', '8.00', NONE],
    ]  # fmt: skip
    assert [found[2][head] for head in heads] == ['4.0', '9.75', '3.25']


def test_what_varied_is_said_in_words(tmp_path: Path) -> None:
    for name, way, head in (('a', 'fan_out', 1.0), ('b', 'fan_out_small_head', 10.0)):
        write_run(tmp_path / name / 'seed0', **{'schedule.head_factor': head, 'model.initialization': way})
    rows = [{'label': name, 'runs': [f'{name}/seed0']} for name in 'ab']
    (section,) = sections.read([write_study(tmp_path / 'studies' / 's', rows)])
    made = columns.varied_table(section)
    assert {*made.heads} == {'', 'head factor', 'initialization'}
    at = made.heads.index('initialization')
    assert [cells[at] for _, cells in made.rows] == ['fan_out', 'fan_out_small_head']


def test_what_is_changed_or_rehearsed_is_said(tmp_path: Path) -> None:
    write_run(tmp_path / 'a' / 'seed0')
    rows = [{'label': 'a', 'runs': ['a/seed0', 'b/seed0'], 'published': 9.0, 'published_text': '9'}]
    folder = write_study(
        tmp_path / 'studies' / 's', rows, changes={'train_for': '1 epoch'}, is_rehearsal=True, notes=['x: merged']
    )
    (section,) = sections.read([folder])
    assert section.title == 'Which <rate> is better? (rehearsal on the digits; trained for 1 epoch)'
    rehearsal, changed, *others = columns.warnings(section)
    assert rehearsal.startswith('This is a rehearsal') and others == ['a, seed 1: missing', 'x: merged']
    assert changed == (
        'Changed in every run: trained for 1 epoch. Published numbers belong to the unchanged recipe, and are not shown.'
    )
    assert not {'published', 'difference'} & {*table(section).heads}
    assert numbers(section)[0]['shared'] == 'rehearsal on the digits; trained for 1 epoch'


def test_names_stay_text_in_markdown_and_in_a_terminal(tmp_path: Path) -> None:
    write_run(tmp_path / 'a' / 'seed0')
    (section,) = sections.read([write_study(tmp_path / 'studies' / 's', [{'label': EVIL, 'runs': ['a/seed0']}])])
    head, _, row = table(section).markdown(section.best, str).splitlines()
    assert '<' not in row and r'\[x\](javascript' in row and r'\n# y' in row and '[0](' in row
    assert row.replace(r'\|', '').count('|') == head.count('|')
    assert escaped('# a') == r'\# a' and escaped('- a') == r'\- a' and escaped('-0.5') == '-0.5'
