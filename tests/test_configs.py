"""Every config: it passes the checks, its network has its exact count, and its docstring says so."""

import importlib
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest

from jax_resnet import models
from jax_resnet.training import schedule
from jax_resnet.training.durations import Clock
from jax_resnet.training.fields import check

CIFAR10 = {20: 269_722, 32: 464_154, 44: 658_586, 56: 853_018, 110: 1_727_962, 1202: 19_421_274}
CIFAR100 = {depth: CIFAR10[depth] + 90 * 65 for depth in (20, 56, 110)}
GATED = [
    'exclusive_gating_0',
    'exclusive_gating_-6',
    'exclusive_gating_-7',
    'shortcut_only_gating_0',
    'shortcut_only_gating_-6',
]
UNGATED = ['original', 'scaling_0_1', 'scaling_0.5_1', 'scaling_0.5_0.5', 'dropout']
POSTACTIVATION = ['original', 'bn_after_addition', 'relu_before_addition', 'relu_only_preactivation']
PARAMETERS = {
    ('resnet20_digits', None): 269_434,
    **{(f'resnet{depth}_cifar10', None): count for depth, count in CIFAR10.items()},
    **{(f'plain{depth}_cifar10', None): CIFAR10[depth] for depth in (20, 32, 44, 56, 110)},
    **{(f'resnet{depth}_cifar100', None): count for depth, count in CIFAR100.items()},
    **{
        ('lab_cifar10', f'{kind}{depth}'): CIFAR10[depth]
        for kind in ('resnet', 'plain', 'preact_resnet')
        for depth in (20, 56, 110)
    },
    **{('report_cifar10', f'resnet{depth}'): CIFAR10[depth] for depth in (20, 56, 110)},
    **{('report_cifar100', f'resnet{depth}'): count for depth, count in CIFAR100.items()},
    **{(f'preact_resnet{depth}_cifar10', None): CIFAR10[depth] for depth in (20, 56, 110)},
    ('preact_resnet164_cifar10', None): 1_703_258,
    ('preact_resnet164_cifar100', None): 1_726_388,
    ('preact_resnet1001_cifar10', None): 10_327_706,
    ('preact_resnet1001_batch64_cifar10', None): 10_327_706,
    ('preact_resnet1001_cifar100', None): 10_350_836,
    ('resnet164_cifar10', None): 1_704_154,
    ('resnet164_cifar100', None): 1_727_284,
    ('resnet1001_cifar10', None): 10_328_602,
    ('resnet1001_cifar100', None): 10_351_732,
    **{('shortcut_resnet110_cifar10', name): 1_727_962 for name in UNGATED},
    **{('shortcut_resnet110_cifar10', name): 1_824_186 for name in GATED},
    ('shortcut_resnet110_cifar10', 'conv'): 1_826_202,
    **{('order_resnet110_cifar10', order): 1_727_962 for order in (*POSTACTIVATION, 'full_preactivation')},
    **{('order_resnet164_cifar10', order): 1_704_154 for order in POSTACTIVATION},
    ('order_resnet164_cifar10', 'full_preactivation'): 1_703_258,
    **{('one_layer_resnet110_cifar10', order): 1_727_962 for order in ('original', 'full_preactivation')},
}
BASES = {'base', 'base_2016'}
FOLDER = Path(__file__).parents[1] / 'configs'


def get_config(name: str, argument: str | None = None) -> dict:
    get = importlib.import_module(f'configs.{name}').get_config
    return (get() if argument is None else get(argument)).to_dict()


def test_every_config_is_in_the_table() -> None:
    assert {path.stem for path in FOLDER.glob('*.py')} - BASES == {name for name, _ in PARAMETERS}
    families = {
        'lab_cifar10': 'NETWORKS',
        'report_cifar10': 'NETWORKS',
        'order_resnet110_cifar10': 'ORDERS',
        'order_resnet164_cifar10': 'ORDERS',
        'one_layer_resnet110_cifar10': 'ORDERS',
    }
    for family, known in families.items():
        arguments = getattr(importlib.import_module(f'configs.{family}'), known)
        assert set(arguments) == {argument for name, argument in PARAMETERS if name == family}


@pytest.mark.parametrize(('name', 'argument'), PARAMETERS)
def test_exact_parameter_count(name: str, argument: str | None) -> None:
    config = get_config(name, argument)
    check(config)
    net = models.from_config(config['model'], stacked=True)
    images = jnp.zeros((1, 16, 16, 1) if name == 'resnet20_digits' else (1, 32, 32, 3))
    variables = jax.eval_shape(net.init, jax.random.key(0), images)
    count = PARAMETERS[name, argument]
    assert models.count_parameters(variables['params']) == count
    text = (FOLDER / f'{name}.py').read_text()
    assert f'{count:,}' in text or 'the same' in text
    assert f'python main.py --config=configs/{name}.py' in text


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
    with pytest.raises(ValueError, match="unknown network 'resnet57'; known are resnet20, resnet56, resnet110"):
        get_config(family, 'resnet57')
