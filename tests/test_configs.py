"""The recipes of the configs, their published results, and the list of configs."""

import re
import runpy
from pathlib import Path

import pytest

from configs import index, published, sizes
from jax_resnet.config import schedule
from jax_resnet.config.durations import Clock
from jax_resnet.config.fields import Optimizer
from tests.test_parameter_counts import CONFIGS, get_config

FOLDER = Path(__file__).parents[1] / 'configs'


def test_the_recipe_of_the_2015_paper() -> None:
    config = get_config('resnet110_cifar10')
    clock = Clock(50_000, config.batch_size)
    rates = [(start, pytest.approx(rate)) for start, rate in schedule.create(config.schedule, clock, 64_000).pieces]
    assert rates == [(0, 0.01), (400, 0.1), (32_000, 0.01), (48_000, 0.001)]
    assert clock.steps(config.train_for) == 64_000
    assert config.optimizer == Optimizer(
        name='sgd', momentum=0.9, momentum_of='gradients', nesterov=False, weight_decay=1e-4, decay='kernels'
    )
    assert config.batch_norm.group_size == 64 and config.dataset.normalization == 'pixel_mean'
    for name in ('resnet20_cifar10', 'plain110_cifar10', 'resnet56_cifar100'):
        assert schedule.create(get_config(name).schedule, clock, 64_000).pieces[0] == (0, 0.1)


def test_the_recipes_of_the_lab_and_the_report() -> None:
    clock = Clock(50_000, 128)
    lab, report = get_config('lab_cifar10', 'plain56'), get_config('report_cifar100', 'resnet56')
    assert [start for start, _ in schedule.create(lab.schedule, clock, 64_000).pieces] == [0, 31_641, 47_657]
    assert clock.steps(lab.train_for) == 64_063 and clock.steps(report.train_for) == 136_719
    assert (lab.optimizer.decay, lab.model.initialization) == ('all', 'fan_in')
    assert (lab.dataset.normalization, lab.dataset.pad_with) == ('channel', 'black')
    assert lab.batch_norm.group_size == report.batch_norm.group_size == 0
    assert lab.model.name == 'cifar_plain' and report.model.num_classes == 100


def test_the_recipe_of_the_2016_paper() -> None:
    clock = Clock(50_000, 128)
    for name, argument in CONFIGS:
        families = ('preact', 'resnet164', 'resnet1001', 'shortcut', 'order', 'one_layer')
        if name.startswith(families) and '64_' not in name:
            config = get_config(name, argument)
            starts = [start for start, _ in schedule.create(config.schedule, clock, 64_000).pieces]
            assert (starts, clock.steps(config.train_for)) == ([0, 400, 32_000, 48_000], 64_000)
            assert config.optimizer.decay == 'kernels' and not config.optimizer.nesterov
    config = get_config('preact_resnet1001_batch64_cifar10')
    clock = Clock(50_000, config.batch_size)
    assert schedule.create(config.schedule, clock, 64_000).pieces[0] == (0, 0.1)
    assert clock.steps(config.train_for) == 156_250
    assert config.optimizer.decay == 'all' and config.optimizer.nesterov
    assert config.batch_norm.group_size == 32


def test_the_recipes_of_the_assignments() -> None:
    clock = Clock(50_000, 128)
    for name, argument in (('stages_resnet56_cifar10', '5,9,13'), ('skips_resnet56_cifar10', '3')):
        config = get_config(name, argument)
        assert clock.steps(config.train_for) == 64_063 and config.batch_norm.group_size == 0
        assert [start for start, _ in schedule.create(config.schedule, clock, 64_063).pieces] == [0, 31_641, 47_657]
    scaled, identity4 = get_config('scaled_cifar10'), get_config('identity4_cifar10', '4,5,6,3')
    assert (scaled.optimizer.name, scaled.batch_size, scaled.train_for) == ('adam', 64, '60 epochs')
    assert schedule.create(scaled.schedule, clock, 1).pieces == [(0, 0.001)]
    assert (identity4.batch_size, identity4.train_for, identity4.dataset.crop) == (4, '5 epochs', 28)
    assert schedule.create(identity4.schedule, clock, 1).pieces == [(0, 0.01)]
    assert identity4.dataset.normalization == 'half' and identity4.dataset.pad == 0
    assert not get_config('identity4_cifar10', '2,2,2,2').dataset.flip


def test_each_config_has_its_published_result_and_its_size() -> None:
    assert set(published.CONFIGS) == set(sizes.read())


def test_the_list_of_configs_is_up_to_date() -> None:
    assert (FOLDER / 'README.md').read_text() == index.page(), 'run: python -m configs.index'


@pytest.mark.parametrize('name', [name for name in published.CONFIGS if ':' not in name])
def test_a_configs_docstring_has_the_published_result(name: str) -> None:
    text = ' '.join(index.read()[0][name].split())
    cell = published.CONFIGS[name].cell
    published_text = f'No published number{cell.removeprefix("none")};' if cell.startswith('none') else f' {cell};'
    assert published_text in text or f'Published test error {cell};' in text
    assert f'{sizes.read()[name].parameters:,} parameters' in text


@pytest.mark.parametrize('name', index.read()[1])
def test_a_familys_table_has_the_published_results(name: str) -> None:
    """Each row has arguments, and their published results, or one result if all have the same."""
    known = {key.partition(':')[2]: result for key, result in published.CONFIGS.items() if key.startswith(f'{name}:')}
    rows = re.findall(r'^\| (.*?) \| (.*?) \|', index.read()[1][name], re.MULTILINE)[1:]
    listed = []
    for arguments, cell in rows:
        named = index.named(arguments, list(known))
        assert named and cell == ', '.join(dict.fromkeys(known[argument].cell for argument in named)), arguments
        listed += named
    not_listed = {argument for argument in known if argument not in listed}
    assert not_listed <= {f'exclusive_gating_{bias}' for bias in range(-1, -5, -1)}


@pytest.mark.parametrize('name', published.STUDIES)
def test_a_studys_docstring_has_the_numbers_of_its_rows(name: str) -> None:
    module = runpy.run_path(str(FOLDER / 'studies' / f'{name}.py'))
    study, source = module['get_study'](), published.STUDIES[name]
    assert (study['source'], study['measure']) == (source.text, source.measure)
    for row in study['rows']:
        assert row['window'] == source.window
        if row['published'] is not None and name != 'figure6_2015':  # its docstring refers to Table 6
            accuracy = f'{100 - row["published"]:.2f}'
            words = {f'{row["published"]:.2f}', f'{row["published"]:g}', accuracy}
            assert words & set(re.findall(r'[0-9]+(?:\.[0-9]+)?', module['__doc__'])), row['label']


def test_a_study_has_all_published_rows() -> None:
    for name, rows in published.ROWS.items():
        study = runpy.run_path(str(FOLDER / 'studies' / f'{name}.py'))['get_study']()
        errors = [row['published'] for row in study['rows'] if row['published'] is not None]
        assert sorted(errors) == sorted(result.error for result in rows.values())


@pytest.mark.parametrize(
    ('row', 'names'),
    [
        ('resnet{20,32,44,56,110,1202}_cifar10', [f'resnet{n}_cifar10' for n in (20, 32, 44, 56, 110, 1202)]),
        ('exclusive_gating_-6', ['shortcut_resnet110_cifar10:exclusive_gating_-6']),
        ('order_resnet110_cifar10', ['order_resnet110_cifar10:bn_after_addition']),
        ('preact_resnet{110,164,1001}_cifar10', [f'preact_resnet{n}_cifar10' for n in (110, 164, 1001)]),
        ('preact_resnet{164,1001}_cifar100', [f'preact_resnet{n}_cifar100' for n in (164, 1001)]),
        (
            'resnet34b,resnet34c}_imagenet',
            [f'{name}_imagenet' for name in ['plain18', 'plain34', 'resnet18', 'resnet34', 'resnet34b', 'resnet34c']],
        ),
        ('resnet{50,101,152}_imagenet', [f'resnet{n}_imagenet' for n in (50, 101, 152)]),
        ('table5_imagenet', ['table5_imagenet:preact_resnet200']),
    ],
)
def test_the_readmes_table_has_the_published_results_and_sizes(row: str, names: list[str]) -> None:
    lines = (FOLDER.parent / 'README.md').read_text().splitlines()
    (line,) = [line for line in lines if line.startswith('| `') and row in line]
    tables = [published.CONFIGS[name] for name in names]
    # the paper's table has the best run of ResNet-110
    numbers = [result.cell.split()[0] if '(the best' in result.cell else f'{result.error:.2f}' for result in tables]
    assert f' {", ".join(numbers)} %' in line
    files = {name.partition(':')[0] for name in names}
    parameters = [size.parameters for name, size in sizes.read().items() if name.partition(':')[0] in files]
    assert f'{min(parameters):,}' in line and f'{max(parameters):,}' in line


def test_the_table_of_pretrained_networks_has_their_sizes() -> None:
    page, known = (FOLDER.parent / 'docs' / 'pretrained.md').read_text(), sizes.read()
    rows = re.findall(r'^\| `(\w+)` \| ([\d,]+) \| ([\d.]+) G', page, re.MULTILINE)
    sized = {name: known.get(f'torchvision_imagenet:{name}') for name, *_ in rows}
    found = {name: numbers for name, *numbers in rows if sized[name]}
    assert len(found) >= 9
    assert found == {name: [f'{s.parameters:,}', f'{s.multiply_adds / 1e9:.2f}'] for name, s in sized.items() if s}
