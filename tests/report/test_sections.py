"""Rows and their numbers; recipes are never mixed; runs that are not finished are known."""

import json
from pathlib import Path

import pytest

from jax_resnet.errors import ConfigError
from jax_resnet.report import sections
from tests.report.conftest import TEN_CROP, write_run, write_study, write_top5


def test_numbers_of_a_row(study: Path) -> None:
    (section,) = sections.read([study])
    row, other = section.rows
    assert section.measured(row) == (11.0, pytest.approx(2**0.5), [10.0, 12.0])
    assert row.in_window == [15.0, 16.0]  # of epochs 3 and 4, of both runs
    assert (row.mean('best_test_error'), other.mean('best_test_error')) == (11.0, 17.0)
    assert section.difference(row) == 2.0 and section.difference(other) is None
    assert sections.varied(section.rows) == {'schedule.learning_rate': [0.1, 1.0]} and section.best == [row]
    assert [run.folder for run in row.runs] == [study.parents[1] / 'a' / f'seed{seed}' for seed in (0, 1)]


def test_the_folder_of_a_study_means_this_study_and_not_those_below_it(study: Path) -> None:
    for below in ('rehearsal', 'shorten=32'):
        write_study(study / below, [{'label': below, 'runs': ['../a/seed0']}])
    (section,) = sections.read([study])
    assert section.name == 'rates'
    assert [section.name for section in sections.read([study.parent])] == ['rehearsal', 'shorten=32', 'rates']


def test_the_published_number_is_compared_with_its_kind(tmp_path: Path) -> None:
    for seed, error in enumerate((10.0, 11.0, 18.0)):
        run = write_run(tmp_path / 'a' / f'seed{seed}', seed, (90.0, 40.0, 30.0, error))
        write_top5(run, **TEN_CROP)
    write_run(tmp_path / 'b' / 'seed0', batch_size=64)
    rows = [{'label': 'a', 'runs': [f'a/seed{i}' for i in range(3)], 'published': 9.0, 'window': [3, 4]}]
    differences = {'final': 4.0, 'median': 2.0, 'window': (30 + 13) / 2 - 9, 'protocol': 0.5}
    for measure, difference in differences.items():
        (section,) = sections.read([write_study(tmp_path / 'studies' / measure, rows, measure=measure)])
        assert section.difference(section.rows[0]) == pytest.approx(difference)
    (section,) = sections.read([write_study(tmp_path / 'studies' / 'rehearsal', rows, is_rehearsal=True)])
    assert section.difference(section.rows[0]) is None and section.shared == ['rehearsal on the digits']
    rows.append({'label': 'b', 'runs': ['b/seed0']})  # without the protocol: all are compared by the final error
    (section,) = sections.read([write_study(tmp_path / 'studies' / 'two', rows, measure='protocol')])
    assert (section.measure, section.difference(section.rows[0])) == ('final', None)


def test_rows_of_another_length_are_not_compared(tmp_path: Path) -> None:
    write_run(tmp_path / 'runs' / 'whole', file='configs/my-net.py')
    for times in (2, 4):
        write_run(tmp_path / 'runs' / f'{times}', file='configs/my-net.py', shorten=times)
    (section,) = sections.read([tmp_path / 'runs'])
    assert {group: [row.label for row in rows] for group, rows in section.groups.items()} == {
        'on digits, trained for 4 epochs, shortened 2 times': ['my-net'],
        'on digits, trained for 4 epochs, shortened 4 times': ['my-net'],
        'on digits, trained for 4 epochs': ['my-net'],
    }
    rows = [{'label': '2', 'runs': ['runs/2'], 'published': 9.0}]
    (section,) = sections.read([write_study(tmp_path / 'studies' / 's', rows, changes={'shorten': 2})])
    assert section.shared == ['shortened 2 times'] and section.difference(section.rows[0]) is None


def test_a_window_that_was_not_reached_has_no_number(tmp_path: Path) -> None:
    write_run(tmp_path / 'a' / 'seed0')
    rows = [{'label': 'a', 'runs': ['a/seed0'], 'window': window} for window in ([3, 5], [3, 4])]
    (section,) = sections.read([write_study(tmp_path / 'studies' / 's', rows)])
    assert [row.in_window for row in section.rows] == [[], [15.0]]


def test_an_epoch_is_evaluated_at_the_step_that_completes_it(tmp_path: Path) -> None:
    """164 epochs of 50,000 in batches of 128 end at epoch 164.0013, which is the evaluation of epoch 164."""
    folder = write_run(tmp_path / 'a' / 'seed0')
    lines = [json.loads(line) for line in (folder / 'metrics.jsonl').read_text().splitlines()]
    lines[3]['epoch'] = 4.0013
    (folder / 'metrics.jsonl').write_text(''.join(json.dumps(line) + '\n' for line in lines))
    rows = [{'label': 'a', 'runs': ['a/seed0'], 'window': [3, 4]}]
    (section,) = sections.read([write_study(tmp_path / 'studies' / 's', rows)])
    assert section.rows[0].in_window == [15.0]


def test_a_row_of_different_recipes_is_refused(tmp_path: Path) -> None:
    write_run(tmp_path / 'a' / 'seed0')
    write_run(tmp_path / 'a' / 'seed1', 1, batch_size=64, **{'dataset.data_dir': '/elsewhere'})
    folder = write_study(tmp_path / 'studies' / 's', [{'label': 'a', 'runs': ['a/seed0', 'a/seed1']}])
    with pytest.raises(ConfigError, match=r'seed1: must have the recipe of .*seed0; config.batch_size is 100 in'):
        sections.read([folder])


def test_runs_of_no_study_are_rows_by_recipe(tmp_path: Path) -> None:
    for seed in (0, 1):
        write_run(tmp_path / 'moved' / f'{seed}', seed, file='configs/my-net.py')
    changes = {'batch_size': 64, 'checkpoint_every': '9 steps', 'dataset.data_dir': '/elsewhere'}
    write_run(tmp_path / 'moved' / '2', file='configs/my-net.py', **changes)
    write_run(tmp_path / 'moved' / '3', file='/mine/lab.py:wide', **{'model.depth': 14})
    for depth in (20, 26):  # a program gave the config, so the folder names the run
        write_run(tmp_path / 'moved' / f'depth{depth}' / 'own' / 'seed0', **{'model.depth': depth})
    (section,) = sections.read([tmp_path / 'moved'])
    assert {row.label: len(row.runs) for row in section.rows} == {
        'my-net': 2, 'my-net, batch size 64': 1, 'lab:wide, depth 14': 1, 'own, depth 20': 1, 'own, depth 26': 1,
    }  # fmt: skip


def test_a_copy_of_a_run_is_no_second_seed(tmp_path: Path) -> None:
    for folder in ('runs', 'results'):
        write_run(tmp_path / folder / 'a' / 'seed0', file='configs/my-net.py')
    (section,) = sections.read([tmp_path / 'runs', tmp_path / 'results', tmp_path / 'runs' / '..' / 'runs'])
    assert [len(row.runs) for row in section.rows] == [1]
    (left_out,) = section.notes
    assert left_out.startswith('Left out: ') and 'with the recipe and seed of' in left_out


def test_runs_of_a_study_are_told_once(study: Path) -> None:
    write_run(study.parents[1] / 'c' / 'seed0', **{'model.depth': 14})
    made = sections.read([study.parents[1]])
    assert [section.question for section in made] == ['Which <rate> is better?', 'c']
    assert [row.label for row in made[1].rows] == ['c']


def test_variants_of_a_study_have_their_own_names(tmp_path: Path) -> None:
    write_run(tmp_path / 'a' / 'seed0')
    for folder, study in (('s', 'my-study'), ('t', 'my-study'), ('u', 'my-study'), ('v', 'runs')):
        write_study(tmp_path / 'studies' / folder, [{'label': 'a', 'runs': ['a/seed0']}], study=study)
    names = [section.name for section in sections.read([tmp_path / 'studies'])]
    assert names == ['my-study', 'my-study-v2', 'my-study-v3', 'runs-v2']


def test_a_damaged_run_or_study_is_left_out_and_named(study: Path) -> None:
    folder = study.parents[1]
    (folder / 'b' / 'seed1' / 'metrics.jsonl').write_text('{"step": 1\n')
    (write_run(folder / 'lone' / 'seed0') / 'summary.json').write_text('{')
    write_run(folder / 'other' / 'seed0', **{'model.depth': 14})
    (folder / 'studies' / 'broken').mkdir()
    (folder / 'studies' / 'broken' / 'study.json').write_text('[]')
    of_study, of_runs = sections.read([folder])
    assert [len(row.runs) for row in of_study.rows] == [2, 1] and [row.label for row in of_runs.rows] == ['other']
    (left_out,) = of_study.notes
    assert left_out.startswith('Left out: ') and 'metrics.jsonl: line 1 is damaged' in left_out
    assert len(of_runs.notes) == 2 and all('Left out: ' in note for note in of_runs.notes)
    assert any('lone/seed0/summary.json is damaged' in note for note in of_runs.notes)
    with pytest.raises(ConfigError, match=r'^\S*lone/seed0/summary.json is damaged'):
        sections.read([folder / 'lone'])
