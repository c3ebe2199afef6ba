"""What the charts show is what the run folders hold."""

import json
from pathlib import Path

import pytest

from jax_resnet.report import curves, pictures, reading
from tests.report.conftest import write_run, write_study, write_top5


def test_mean_and_extremes_over_seeds(study: Path) -> None:
    (section,) = reading.read([study])
    single, together = curves.points(section.rows[0], 'error')
    assert len(single) == 2 * 2 * 4 and len(together) == 2 * 4
    last = [point for point in together if point['epoch'] == 4]
    assert last == [
        {'row': 'rate 0.1', 'split': 'test', 'epoch': 4.0, 'value': 11.0, 'low': 10.0, 'high': 12.0, 'runs': 2},
        {'row': 'rate 0.1', 'split': 'training', 'epoch': 4.0, 'value': 6.0, 'low': 5.0, 'high': 7.0, 'runs': 2},
    ]


def test_a_mean_ends_where_a_run_does(tmp_path: Path) -> None:
    write_run(tmp_path / 'a' / 'seed0')
    write_run(tmp_path / 'a' / 'seed1', 1, state='stopped')
    (section,) = reading.read([tmp_path])
    single, together = curves.points(section.rows[0], 'loss')
    assert max(point['epoch'] for point in together) == 2 and max(point['epoch'] for point in single) == 4


def test_drops_are_marked_where_the_config_has_them(tmp_path: Path) -> None:
    units = {
        'epochs': ['2 epochs', '9 epochs'],
        'steps': ['15 steps'],
        'examples': ['3500 examples'],
        'half': ['3/2 epochs'],
    }
    for name, drop_at in units.items():
        write_run(tmp_path / name / 'seed0', **{'schedule.drop_at': drop_at})
    made = {}
    for name in units:
        (section,) = reading.read([tmp_path / name])
        made[name] = [(mark['epoch'], mark['change']) for mark in curves.drops(section.rows[0])]
    assert made == {
        'epochs': [(2.0, '0.1 to 0.01')],  # the other is past the end
        'steps': [(1.5, '0.1 to 0.01')],
        'examples': [(3.5, '0.1 to 0.01')],
        'half': [(1.5, '0.1 to 0.01')],
    }


def test_each_data_set_has_its_own_chart_against_parameters(tmp_path: Path) -> None:
    pytest.importorskip('altair')
    names = [(data, size) for data in ('cifar10', 'cifar100') for size in (20, 32, 44)]
    for data, size in names:
        run = write_run(tmp_path / data / f'{size}' / 'seed0', **{'dataset.name': data, 'model.depth': size})
        summary = json.loads((run / 'summary.json').read_text())
        (run / 'summary.json').write_text(json.dumps(summary | {'parameters': 1000 * size}))
    rows = [{'label': f'{size}', 'group': data, 'runs': [f'{data}/{size}/seed0']} for data, size in names]
    (section,) = reading.read([write_study(tmp_path / 'studies' / 's', rows)])
    charts = {
        title: drawn['parameters'] for title, drawn in pictures.of_section(section).items() if 'parameters' in drawn
    }
    assert {title: chart.title for title, chart in charts.items()} == {
        f'size {data}': f'Final test error against parameters, {data}' for data in ('cifar10', 'cifar100')
    }
    (section,) = reading.read([write_study(tmp_path / 'studies' / 't', rows[:3])])
    assert pictures.of_section(section)['size']['parameters'].title == 'Final test error against parameters'


def test_top5_errors_have_curves_of_their_own_where_a_run_has_them(tmp_path: Path) -> None:
    pytest.importorskip('altair')
    for seed in (0, 1):
        write_top5(write_run(tmp_path / 'runs' / 'net' / f'seed{seed}', seed), (60.0, 20.0, 9.0, 4.0 + 2 * seed))
    (section,) = reading.read([tmp_path / 'runs'])
    drawn = pictures.of_group('', section.rows)
    assert [*drawn] == ['errors', 'top5_errors', 'losses', 'learning_rates']
    spec = json.dumps(drawn['top5_errors'].to_dict())
    assert '"title": "top-5 error (%)"' in spec and '"domain": ["test"], "range": [[]]' in spec
    assert [point['value'] for point in curves.points(section.rows[0], 'top5_error')[1]] == [60.0, 20.0, 9.0, 5.0]
    write_run(tmp_path / 'none' / 'seed0')
    (section,) = reading.read([tmp_path / 'none'])
    assert [*pictures.of_group('', section.rows)] == ['errors', 'losses', 'learning_rates']


def test_the_papers_manner(study: Path) -> None:
    pytest.importorskip('altair')
    (section,) = reading.read([study])
    spec = json.loads(curves.errors(section.rows, 'Error').to_json())
    text = json.dumps(spec)
    assert '"title": "error (%)"' in text and '"domain": ["test", "training"], "range": [[], [6, 4]]' in text
    kinds = [layer['mark']['type'] for layer in spec['layer']]
    assert kinds == ['rule', 'area', 'line', 'line', 'point']
    rates = json.loads(curves.learning_rates(section.rows, 'Rate').to_json())
    first = rates['layer'][0]
    assert first['encoding']['y']['scale']['type'] == 'log'
    assert [value['rate'] for value in first['data']['values']] == [
        0.1,
        0.1,
        pytest.approx(0.01),
        pytest.approx(0.01),
    ]


@pytest.mark.parametrize(
    ('values', 'most', 'top'), [([90, 50, 9, 8, 8, 8, 8], 100, 65), ([2.3, 0.4, 0.2], None, 2.5), ([], 100, 1)]
)
def test_the_first_epochs_do_not_flatten_the_rest(values: list[float], most: float | None, top: float) -> None:
    assert curves.top_of(values, most) == pytest.approx(top)
