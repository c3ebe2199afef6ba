"""The chart of layer responses: names that tell networks apart, and an axis of decades."""

import json

import pytest

from jax_resnet.report import responses


@pytest.mark.parametrize(
    ('paths', 'names'),
    [
        (['runs/resnet20_cifar10/seed0', 'runs/plain20_cifar10/seed0'], ['resnet20_cifar10', 'plain20_cifar10']),
        (['runs/a/seed0', 'runs/a/seed1'], ['a, seed0', 'a, seed1']),
        (['/x/runs/a/train_for=1/seed0'], ['a, train_for=1, seed0']),
        (['results/weights/a.safetensors', 'configs/a.py'], ['a, of weights', 'a, of configs']),
        (['/tmp/mine/run', 'run'], ['run, of mine', 'run']),
        (['.', 'a/seed0'], ['.', 'a, seed0']),
        (['a.py', 'a.py'], ['a (1)', 'a (2)']),
    ],
)
def test_names_are_short_and_distinct(paths: list[str], names: list[str]) -> None:
    assert responses.short(paths) == names


def test_ranks() -> None:
    assert responses.ranks([0.5, 2.0, 1.0]) == [3, 1, 2]


@pytest.mark.parametrize(
    ('values', 'ticks'),
    [([0.03, 2.0], [0.01, 0.1, 1, 10]), ([1.0, 1.0], [1, 10]), ([0.0, 0.5], [0.1, 1]), ([0.0], [])],
)
def test_ticks_are_decades(values: list[float], ticks: list[float]) -> None:
    assert responses.decades(values) == pytest.approx(ticks)


def test_the_chart_has_the_names_and_the_decades() -> None:
    pytest.importorskip('altair')
    one = {'layers': ['stem/conv', 'conv1'], 'std': [1.0, 0.5], 'gradient_norm': [0.02, 3.0]}
    chart = responses.chart([{'network': f'runs/{name}/seed0', **one} for name in ('resnet20', 'plain20')])
    panels = json.loads(chart.to_json())['vconcat']
    assert [value['network'] for value in panels[0]['data']['values']] == ['resnet20'] * 2 + ['plain20'] * 2
    assert panels[2]['encoding']['y']['axis']['values'] == [0.01, 0.1, 1, 10]
