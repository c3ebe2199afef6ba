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

CIFAR10 = {20: 269_722, 32: 464_154, 44: 658_586, 56: 853_018, 110: 1_727_962, 1202: 19_421_274}
REPORT = {**{f'resnet{depth}': CIFAR10[depth] for depth in (20, 56, 110)}, 'resnet50': 755_802, 'resnet62': 950_234,
          **{f'plain{depth}': count for depth, count in CIFAR10.items() if depth in (20, 56, 110)}}  # fmt: skip
CIFAR100 = {depth: CIFAR10[depth] + 90 * 65 for depth in (20, 56, 110)}
OPTION_B_IMAGENET = {18: 11_689_512, 34: 21_797_672, 50: 25_557_032, 101: 44_549_160, 152: 60_192_808}
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
    ('resnet18_imagenette', None): 11_181_642,
    ('resnet18_folder', None): 11_181_642,
    ('finetune_resnet50_folder', None): 23_528_522,
    **{(f'resnet{depth}_cifar10', None): count for depth, count in CIFAR10.items()},
    **{(f'plain{depth}_cifar10', None): CIFAR10[depth] for depth in (20, 32, 44, 56, 110)},
    **{(f'resnet{depth}_cifar100', None): count for depth, count in CIFAR100.items()},
    **{
        ('lab_cifar10', f'{kind}{depth}'): CIFAR10[depth]
        for kind in ('resnet', 'plain', 'preact_resnet')
        for depth in (20, 56, 110)
    },
    **{('report_cifar10', network): count for network, count in REPORT.items()},
    **{('report_cifar100', network): count + 90 * 65 for network, count in REPORT.items()},
    ('stages_resnet56_cifar10', '9,9,9'): 853_018,
    ('stages_resnet56_cifar10', '5,9,13'): 1_130_266,
    ('stages_resnet56_cifar10', '13,9,5'): 575_770,
    ('stages_resnet56_cifar10', '7,13,7'): 769_946,
    **{('skips_resnet56_cifar10', skips): 853_018 for skips in ('none', '1', '2', '3')},
    ('scaled_cifar10', None): 4_435_082,
    ('wide_resnet_cifar10', '40-4'): 8_949_210,
    ('wide_resnet_cifar10', '16-8'): 10_961_370,
    **{('wide_resnet_cifar10', f'28-10{dropout}'): 36_479_194 for dropout in ('', '_dropout')},
    **{('kuangliu_cifar10', f'resnet18{schedule}'): 11_173_962 for schedule in ('', '_cosine')},
    ('kuangliu_cifar10', 'resnet50'): 23_520_842,
    ('kuangliu_cifar10', 'resnet101'): 42_512_970,
    ('identity4_cifar10', '2,2,2,2'): 11_172_170,
    ('identity4_cifar10', '4,5,6,3'): 21_649_738,
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
    ('plain18_imagenet', None): 11_515_688,
    ('plain34_imagenet', None): 21_623_848,
    ('resnet18_imagenet', None): 11_515_688,
    ('resnet34_imagenet', None): 21_623_848,
    ('resnet34b_imagenet', None): OPTION_B_IMAGENET[34],
    ('resnet34c_imagenet', None): 22_716_840,
    **{(f'resnet{depth}_imagenet', None): OPTION_B_IMAGENET[depth] for depth in (50, 101, 152)},
    ('table5_imagenet', 'resnet152'): OPTION_B_IMAGENET[152],
    ('table5_imagenet', 'preact_resnet152'): 60_185_128,
    ('table5_imagenet', 'resnet200'): 64_673_832,
    **{('table5_imagenet', f'preact_resnet200{view}'): 64_666_152 for view in ('', '_aspect')},
    **{('fb_imagenet', f'resnet{depth}'): count for depth, count in OPTION_B_IMAGENET.items()},
    ('fb_imagenet', 'resnet200'): 64_666_152,
    **{('torchvision_imagenet', f'resnet{depth}'): count for depth, count in OPTION_B_IMAGENET.items()},
    ('torchvision_imagenet', 'wide_resnet50_2'): 68_883_240,
    ('torchvision_imagenet', 'wide_resnet101_2'): 126_886_696,
    ('torchvision_imagenet', 'resnext50_32x4d'): 25_028_904,
    ('torchvision_imagenet', 'resnext101_32x8d'): 88_791_336,
    **{
        ('goyal_imagenet', batch): OPTION_B_IMAGENET[50]
        for batch in ('256', '512', '1024', '2048', '4096', '8192', '8192_no_warmup')
    },
    **{(f'{name}_imagenet', None): OPTION_B_IMAGENET[50] for name in ('nvidia', 'flax')},
    **{
        ('imagenette', f'{network}_{size}{length}'): count
        for network, count in {'resnet18': 11_181_642, 'resnet50': 23_528_522}.items()
        for size in (128, 160)
        for length in ('', '_5_epochs')
    },
}
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


def full_name(name: str, argument: str | None) -> str:
    return name if argument is None else f'{name}:{argument}'


def count(net: models.ResNet) -> int:
    variables = jax.eval_shape(net.clone(stacked=True).init, jax.random.key(0), jnp.zeros((1, 32, 32, 3)))
    return models.count_parameters(variables['params'])


@pytest.mark.parametrize(('net', 'expected'), WITHOUT_CONFIG)
def test_networks_without_a_config(net: models.ResNet, expected: int) -> None:
    assert count(net) == expected


def test_every_config_is_in_the_table() -> None:
    files = {path.stem for path in FOLDER.glob('*.py') if not path.stem.startswith('base')}
    assert files - OTHERS == {name for name, _ in PARAMETERS}
    families = {
        'lab_cifar10': 'NETWORKS',
        'report_cifar10': 'NETWORKS',
        'stages_resnet56_cifar10': 'STAGES',
        'skips_resnet56_cifar10': 'SKIPS',
        'identity4_cifar10': 'UNITS',
        'wide_resnet_cifar10': 'NETWORKS',
        'kuangliu_cifar10': 'NETWORKS',
        'order_resnet110_cifar10': 'ORDERS',
        'order_resnet164_cifar10': 'ORDERS',
        'one_layer_resnet110_cifar10': 'ORDERS',
        'table5_imagenet': 'NETWORKS',
        'fb_imagenet': 'NETWORKS',
        'torchvision_imagenet': 'NETWORKS',
        'goyal_imagenet': 'BATCHES',
        'imagenette': 'ARGUMENTS',
    }
    for family, known in families.items():
        arguments = getattr(importlib.import_module(f'configs.{family}'), known)
        assert set(arguments) == {argument for name, argument in PARAMETERS if name == family}


@pytest.mark.parametrize(('name', 'argument'), PARAMETERS)
def test_configs(name: str, argument: str | None) -> None:
    get_config(name, argument)
    assert sizes.read()[full_name(name, argument)].parameters == PARAMETERS[name, argument]
    assert f'python main.py --config=configs/{name}.py' in (FOLDER / f'{name}.py').read_text()


@pytest.mark.parametrize(
    ('network', 'billions'),
    [('plain18', 1.8), ('resnet34', 3.6), ('resnet50', 3.8), ('resnet101', 7.6), ('resnet152', 11.3)],
)
def test_multiply_adds_are_those_of_the_papers_table_1(network: str, billions: float) -> None:
    assert sizes.read()[f'{network}_imagenet'].multiply_adds / 1e9 == pytest.approx(billions, abs=0.06)
