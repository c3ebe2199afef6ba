"""What the charts show is what the run folders hold."""

import json
from pathlib import Path
from typing import Any

import pytest

from jax_resnet.report import curves, sections
from tests.report.conftest import write_run, write_study, write_top5


def values(chart: Any) -> list[dict[str, Any]]:
    spec = chart.to_dict()
    found: list[dict[str, Any]] = (spec.get('data') or spec['layer'][0]['data'])['values']
    return found


def test_mean_and_extremes_over_seeds(study: Path) -> None:
    (section,) = sections.read([study])
    points = curves.points(section.rows[0], 'error')
    assert len(points) == 2 * 4
    assert [point for point in points if point['epoch'] == 4] == [
        {'row': 'rate 0.1', 'split': 'test', 'epoch': 4.0, 'value': 11.0, 'low': 10.0, 'high': 12.0, 'runs': 2},
        {'row': 'rate 0.1', 'split': 'training', 'epoch': 4.0, 'value': 6.0, 'low': 5.0, 'high': 7.0, 'runs': 2},
    ]


def test_a_mean_ends_where_a_run_does(tmp_path: Path) -> None:
    write_run(tmp_path / 'a' / 'seed0')
    write_run(tmp_path / 'a' / 'seed1', 1, state='stopped')
    (section,) = sections.read([tmp_path])
    assert max(point['epoch'] for point in curves.points(section.rows[0], 'loss')) == 2


def test_drops_are_marked_where_the_config_has_them(tmp_path: Path) -> None:
    drops = {
        ('2 epochs', '9 epochs'): [2.0],  # the other is past the end
        ('15 steps',): [1.5],
        ('3500 examples',): [3.5],
        ('3/2 epochs',): [1.5],
    }
    for i, (drop_at, epochs) in enumerate(drops.items()):
        write_run(tmp_path / f'{i}' / 'seed0', **{'schedule.drop_at': drop_at})
        (section,) = sections.read([tmp_path / f'{i}'])
        assert curves.drop_epochs(section.rows[0]) == epochs
    write_run(tmp_path / 'own' / 'seed0', **{'schedule.drop_at': ('2 epochs',), 'schedule.name': 'mine:rates'})
    assert curves.drop_epochs(sections.read([tmp_path / 'own'])[0].rows[0]) == []


def of_rows(tmp_path: Path, rows: dict[str, dict[str, Any]], **more: Any) -> sections.Section:
    """A study of rows, each given by the fields that it changes; the errors are 10, 11, 12 ..."""
    for i, (label, changes) in enumerate(rows.items()):
        write_run(tmp_path / 'r' / label / 'seed0', errors=(90.0, 40.0, 20.0, 10.0 + i), **changes)
    described = [{'label': label, 'runs': [f'r/{label}/seed0'], **more} for label in rows]
    (section,) = sections.read([write_study(tmp_path / 'studies' / 's', described)])
    return section


def test_errors_are_drawn_against_the_number_that_is_varied(tmp_path: Path) -> None:
    kinds = {'ResNet': 'cifar_resnet', 'plain': 'cifar_plain'}
    rows = {
        f'{title}-{depth}': {'model.name': name, 'model.depth': depth, 'batch_size': 2 * depth}
        for title, name in kinds.items()
        for depth in (8, 14, 20)
    }
    section = of_rows(tmp_path, rows, published=9.5)
    chart = curves.overview(section, section.rows)
    assert [(v['position'], v['series'], v['error'], v['published']) for v in values(chart)] == [
        (8, 'ResNet', 10, 9.5), (14, 'ResNet', 11, 9.5), (20, 'ResNet', 12, 9.5),
        (8, 'plain', 13, 9.5), (14, 'plain', 14, 9.5), (20, 'plain', 15, 9.5),
    ]  # fmt: skip
    assert chart.to_dict()['layer'][0]['encoding']['x']['title'] == 'depth'


@pytest.mark.parametrize(
    ('field', 'choices', 'numbers', 'axis'),
    [
        ('schedule.learning_rate', (1.0, 0.1, 0.01), [1.0, 0.1, 0.01], 'learning rate'),
        ('dataset.train', ('train', 'train[:50%]', 'train[:20%]'), [100, 50, 20], 'part of the training data in %'),
        ('train_for', ('82 epochs', '164 epochs', '328 epochs'), [82, 164, 328], 'training in epochs'),
        ('model.shortcut', ('A', 'B', 'C'), None, ''),
        ('batch_size', (64, 128), None, ''),
    ],
)
def test_what_has_an_order(tmp_path: Path, field: str, choices: Any, numbers: list[float] | None, axis: str) -> None:
    section = of_rows(tmp_path, {f'row{i}': {field: choice} for i, choice in enumerate(choices)})
    found = curves.against(section.rows)
    if numbers is None:
        assert found is None
        chart = curves.overview(section, section.rows).to_dict()
        assert chart['layer'][0]['encoding']['y']['field'] == 'row' and 'row0' in json.dumps(
            chart['layer'][0]['encoding']['color']
        )
    else:
        assert found is not None and found[0] == axis and [x for x, _ in found[1].values()] == numbers


def test_charts_of_rows(study: Path) -> None:
    (section,) = sections.read([study])
    drawn = curves.group_charts(section.rows)
    assert [*drawn] == ['errors', 'losses', 'learning_rates']
    assert [*curves.group_charts(section.rows[:1])] == ['errors', 'losses']  # learning rates agree
    spec = json.dumps(drawn['errors'].to_dict())
    assert '"title": "error (%)"' in spec and '"domain": ["test", "training"], "range": [[], [6, 4]]' in spec
    rates = [value for value in values(drawn['learning_rates']) if value['row'] == 'rate 0.1']
    assert [value['value'] for value in rates] == [0.1, 0.1, pytest.approx(0.01), pytest.approx(0.01)]
    low, high = curves.domain(values(drawn['errors']))
    assert 5 > low >= 0 and 90 > high > 21  # the end of training fills the frame


def test_top5_errors_have_curves_of_their_own_where_a_run_has_them(tmp_path: Path) -> None:
    for seed in (0, 1):
        write_top5(write_run(tmp_path / 'runs' / 'net' / f'seed{seed}', seed), (60.0, 20.0, 9.0, 4.0 + 2 * seed))
    (section,) = sections.read([tmp_path / 'runs'])
    drawn = curves.group_charts(section.rows)
    assert [*drawn] == ['errors', 'top5_errors', 'losses']
    assert [value['value'] for value in values(drawn['top5_errors'])] == [60.0, 20.0, 9.0, 5.0]
