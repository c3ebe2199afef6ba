"""Charts of inspections: names that tell networks apart."""

import pytest

from jax_resnet.inspections import charts, responses


@pytest.mark.parametrize(
    ('paths', 'names'),
    [
        (['runs/resnet20_cifar10/seed0', 'runs/plain20_cifar10/seed0'], ['resnet20_cifar10', 'plain20_cifar10']),
        (['runs/a/seed0', 'runs/a/seed1'], ['seed0', 'seed1']),
        (['results/weights/a.safetensors', 'configs/a.py'], ['results, weights', 'configs']),
        (['/x/runs/a/seed0'], ['seed0']),
        (['r/a/x=1/y/seed0/logits.npz', 'r/b/x=1/y/seed0/logits.npz'], ['a', 'b']),
        (['a.py', 'a.py'], ['a (1)', 'a (2)']),
    ],
)
def test_names_are_short_and_distinct(paths: list[str], names: list[str]) -> None:
    assert charts.short(paths) == names


def test_the_chart_has_the_names_and_the_ranks() -> None:
    one = {'layers': ['stem/conv', 'conv1'], 'std': [0.5, 1.0], 'gradient_norm': [0.02, 3.0]}
    drawn = responses.draw([{'network': f'runs/{name}/seed0', **one} for name in ('resnet20', 'plain20')])
    panels = [panel.to_dict() for panel in drawn]
    assert [value['network'] for value in panels[0]['data']['values']] == ['resnet20'] * 2 + ['plain20'] * 2
    assert [value['rank'] for value in panels[1]['data']['values']] == [2, 1] * 2
    assert panels[2]['encoding']['y']['scale'] == {'type': 'log'}
