"""Exact parameter counts of all networks and configs."""

import importlib
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest

from configs import sizes
from jax_resnet import models
from jax_resnet.config.fields import Config
from jax_resnet.config.loading import as_config

CONFIGS = [(name, argument or None) for name, _, argument in (full.partition(':') for full in sizes.read())]
"""All configs: of each its file, and its argument if it has one."""

OPTION_B_IMAGENET = {18: 11_689_512, 34: 21_797_672, 50: 25_557_032, 101: 44_549_160, 152: 60_192_808}
COUNTS = {
    'shortcut_resnet110_cifar10:dropout': 1_727_962,
    'shortcut_resnet110_cifar10:exclusive_gating_-6': 1_824_186,
    'shortcut_resnet110_cifar10:conv': 1_826_202,
    'order_resnet164_cifar10:bn_after_addition': 1_704_154,
    'one_layer_resnet110_cifar10:original': 1_727_962,
    'stages_resnet56_cifar10:5,9,13': 1_130_266,
    'wide_resnet_cifar10:28-10': 36_479_194,
    'kuangliu_cifar10:resnet18': 11_173_962,
    'identity4_cifar10:4,5,6,3': 21_649_738,
    'table5_imagenet:preact_resnet152': 60_185_128,
    'table5_imagenet:resnet200': 64_673_832,
    'table5_imagenet:preact_resnet200': 64_666_152,
    **{f'torchvision_imagenet:resnet{depth}': count for depth, count in OPTION_B_IMAGENET.items()},
    'torchvision_imagenet:wide_resnet101_2': 126_886_696,
    'torchvision_imagenet:resnext50_32x4d': 25_028_904,
}
"""Of networks in families; the docstrings of the other configs have theirs. tests/slow/test_sizes.py counts them all."""

OPTION_B = {20: 272_474, 32: 466_906, 44: 661_338, 56: 855_770, 110: 1_730_714, 1202: 19_424_026}
WITHOUT_CONFIG = [
    *[(models.cifar_resnet(depth, shortcut='B'), count) for depth, count in OPTION_B.items()],
    (models.cifar_resnet(110, order='full_preactivation', shortcut='B'), 1_730_522),
    (models.cifar_resnet(56, unit='one_layer'), 853_018),
    (models.cifar_resnet(56, unit='three_layer'), 853_018),
    (models.imagenet_resnet(50), 25_557_032),
    (models.scaled_resnet(shortcut_windows=(1, 1)), 4_172_938),
    (models.imagenet_resnet(101, v1_5=True, groups=64, group_width=4), 83_455_272),
]
"""Networks that no config has, and their parameter counts."""

FOLDER = Path(__file__).parents[1] / 'configs'
OTHERS = {'index', 'published', 'sizes'}
"""Modules that are not configs, apart from the modules `base...`."""


def get_config(name: str, argument: str | None = None) -> Config:
    get = importlib.import_module(f'configs.{name}').get_config
    return as_config(get() if argument is None else get(argument))


def count(net: models.ResNet) -> int:
    variables = jax.eval_shape(net.clone(stacked=True).init, jax.random.key(0), jnp.zeros((1, 32, 32, 3)))
    return models.count_parameters(variables['params'])


@pytest.mark.parametrize(('net', 'expected'), WITHOUT_CONFIG)
def test_networks_without_a_config(net: models.ResNet, expected: int) -> None:
    assert count(net) == expected


def test_the_counts_of_networks_in_families() -> None:
    assert {name: sizes.read()[name].parameters for name in COUNTS} == COUNTS


def test_every_config_has_a_size_and_gives_its_command() -> None:
    files = {path.stem for path in FOLDER.glob('*.py') if not path.stem.startswith('base')} - OTHERS
    assert files == {name for name, _ in CONFIGS}
    for name in files:
        assert f'python main.py --config=configs/{name}.py' in (FOLDER / f'{name}.py').read_text()


@pytest.mark.parametrize(
    ('network', 'billions'),
    [('plain18', 1.8), ('resnet34', 3.6), ('resnet50', 3.8), ('resnet101', 7.6), ('resnet152', 11.3)],
)
def test_multiply_adds_are_those_of_the_papers_table_1(network: str, billions: float) -> None:
    assert sizes.read()[f'{network}_imagenet'].multiply_adds / 1e9 == pytest.approx(billions, abs=0.06)
