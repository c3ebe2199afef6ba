"""The recipes of the configs, and the list of them."""

from pathlib import Path

import pytest

from configs import index
from jax_resnet.config.durations import Clock
from jax_resnet.training import schedule
from tests.test_parameter_counts import PARAMETERS, get_config

FOLDER = Path(__file__).parents[1] / 'configs'


def test_the_recipe_of_the_2015_paper() -> None:
    config = get_config('resnet110_cifar10')
    clock = Clock(50_000, config['batch_size'])
    rates = [(start, pytest.approx(rate)) for start, rate in schedule.create(config['schedule'], clock, 64_000).pieces]
    assert rates == [(0, 0.01), (400, 0.1), (32_000, 0.01), (48_000, 0.001)]
    assert clock.steps(config['train_for']) == 64_000
    assert config['optimizer'] == {
        'name': 'sgd', 'momentum': 0.9, 'nesterov': False, 'weight_decay': 1e-4, 'decay': 'kernels',
    }  # fmt: skip
    assert config['batch_norm']['group_size'] == 64 and config['dataset']['normalization'] == 'pixel_mean'
    for name in ('resnet20_cifar10', 'plain110_cifar10', 'resnet56_cifar100'):
        assert schedule.create(get_config(name)['schedule'], clock, 64_000).pieces[0] == (0, 0.1)


def test_the_recipes_of_the_lab_and_the_report() -> None:
    clock = Clock(50_000, 128)
    lab, report = get_config('lab_cifar10', 'plain56'), get_config('report_cifar100', 'resnet56')
    assert [start for start, _ in schedule.create(lab['schedule'], clock, 64_000).pieces] == [0, 31_641, 47_657]
    assert clock.steps(lab['train_for']) == 64_063 and clock.steps(report['train_for']) == 136_719
    assert (lab['optimizer']['decay'], lab['model']['initialization']) == ('all', 'fan_in')
    assert (lab['dataset']['normalization'], lab['dataset']['pad_with']) == ('channel', 'black')
    assert lab['batch_norm']['group_size'] == report['batch_norm']['group_size'] == 0
    assert lab['model']['name'] == 'cifar_plain' and report['model']['num_classes'] == 100


def test_the_recipe_of_the_2016_paper() -> None:
    clock = Clock(50_000, 128)
    for name, argument in PARAMETERS:
        if (
            name.startswith(('preact', 'resnet164', 'resnet1001', 'shortcut', 'order', 'one_layer'))
            and '64_' not in name
        ):
            config = get_config(name, argument)
            starts = [start for start, _ in schedule.create(config['schedule'], clock, 64_000).pieces]
            assert (starts, clock.steps(config['train_for'])) == ([0, 400, 32_000, 48_000], 64_000)
            assert config['optimizer']['decay'] == 'kernels' and not config['optimizer']['nesterov']
    config = get_config('preact_resnet1001_batch64_cifar10')
    clock = Clock(50_000, config['batch_size'])
    assert (
        schedule.create(config['schedule'], clock, 64_000).pieces[0] == (0, 0.1)
        and clock.steps(config['train_for']) == 156_250
    )
    assert config['optimizer']['decay'] == 'all' and config['optimizer']['nesterov']


@pytest.mark.parametrize(
    ('family', 'known'), [('shortcut_resnet110', 'original, conv'), ('order_resnet164', 'original, bn')]
)
def test_an_unknown_variant_lists_the_known(family: str, known: str) -> None:
    with pytest.raises(ValueError, match=f"'nonsense'; known are {known}"):
        get_config(f'{family}_cifar10', 'nonsense')


@pytest.mark.parametrize('family', ['lab_cifar10', 'report_cifar10', 'report_cifar100'])
def test_an_unknown_argument_lists_the_known(family: str) -> None:
    with pytest.raises(ValueError, match="unknown network 'resnet57'; known are resnet20, resnet5"):
        get_config(family, 'resnet57')
    for stages in ('5,9', '5,x,13'):
        with pytest.raises(ValueError, match=f"unknown counts of units '{stages}'; known are 9,9,9"):
            get_config('stages_resnet56_cifar10', stages)


def test_the_recipes_of_the_assignments() -> None:
    clock = Clock(50_000, 128)
    for name, argument in (('stages_resnet56_cifar10', '5,9,13'), ('skips_resnet56_cifar10', '3')):
        config = get_config(name, argument)
        assert clock.steps(config['train_for']) == 64_063 and config['batch_norm']['group_size'] == 0
        assert [start for start, _ in schedule.create(config['schedule'], clock, 64_063).pieces] == [0, 31_641, 47_657]
    scaled, identity4 = get_config('scaled_cifar10'), get_config('identity4_cifar10', '4,5,6,3')
    assert (scaled['optimizer']['name'], scaled['batch_size'], scaled['train_for']) == ('adam', 64, '60 epochs')
    assert schedule.create(scaled['schedule'], clock, 1).pieces == [(0, 0.001)]
    assert (identity4['batch_size'], identity4['train_for'], identity4['dataset']['crop']) == (4, '5 epochs', 28)
    assert schedule.create(identity4['schedule'], clock, 1).pieces == [(0, 0.01)]
    assert identity4['dataset']['normalization'] == 'half' and identity4['dataset']['pad'] == 0
    assert not get_config('identity4_cifar10', '2,2,2,2')['dataset']['flip']


def test_the_list_of_configs_is_up_to_date() -> None:
    assert (FOLDER / 'README.md').read_text() == index.page(), 'run: python -m configs.index'
