"""Which fields of a config make a run what it is, and where it goes."""

import json
from pathlib import Path

import pytest

from jax_resnet.config.identity import LATER_FIELDS, checked, compared, default_name, flatten, recipe
from jax_resnet.errors import ConfigError
from tests.conftest import small_config


@pytest.mark.parametrize(
    ('config_file', 'overrides', 'expected'),
    [
        ('configs/resnet20_cifar10.py', {}, 'runs/resnet20_cifar10/seed2'),
        ('configs/resnet20_cifar10.py', {'batch_size': 256, 'seed': 2}, 'runs/resnet20_cifar10/batch_size=256/seed2'),
        ('configs/lab_cifar10.py:resnet56', {}, 'runs/lab_cifar10-resnet56/seed2'),
        ('x.py', {'dataset.data_dir': '/d', 'parallel.devices': 4, 'log_every': '1 step'}, 'runs/x/seed2'),
        ('x.py', {'b': 1, 'a': 'train[:50%]/x'}, 'runs/x/a=train:50%_x,b=1/seed2'),
        ('x.py', {'train_for': '2 epochs', 'a': ("it's",)}, 'runs/x/a=its,,train_for=2_epochs/seed2'),
    ],
)
def test_default_name(config_file: str, overrides: dict, expected: str) -> None:
    assert default_name(config_file, overrides, 2) == Path(expected)


def test_long_names_are_shortened_and_stay_different() -> None:
    names = [default_name('x.py', {f'field{i}': 'v' * 20 for i in range(20)} | {'z': z}, 0) for z in (1, 2)]
    assert names[0] != names[1] and len(names[0].parts[2]) < 160


def test_a_config_from_a_file_equals_the_one_that_was_written(tmp_path: Path) -> None:
    config = small_config(**{'schedule.drop_at': ('3 epochs', '4 epochs')})
    read = checked(json.loads(json.dumps(config)), tmp_path)
    assert read['schedule']['drop_at'] == ('3 epochs', '4 epochs')
    assert compared(read) == compared(config) == compared(json.loads(json.dumps(config)))
    assert recipe(flatten(config)) == recipe(config)  # groups or dotted names


@pytest.mark.parametrize(
    ('field', 'value', 'is_another_run', 'is_another_recipe'),
    [
        ('batch_size', 64, True, True),
        ('memory.microbatches', 2, True, True),
        ('seed', 3, True, False),
        ('keep_every', '1 epoch', True, False),  # to change it would delete what was kept
        ('memory.rematerialize', True, False, False),
        ('parallel.devices', 2, False, False),
        ('dataset.data_dir', 'elsewhere', False, False),
    ],
)
def test_what_counts(field: str, value: object, is_another_run: bool, is_another_recipe: bool) -> None:
    before, after = small_config(), small_config(**{field: value})
    assert (compared(before) != compared(after)) == is_another_run
    assert (recipe(before) != recipe(after)) == is_another_recipe


def test_a_config_from_before_a_field_means_its_default() -> None:
    config = flatten(small_config())
    older = {name: value for name, value in config.items() if name not in LATER_FIELDS}
    assert len(older) == len(config) - len(LATER_FIELDS)
    assert compared(older) == compared(config)


def test_a_damaged_config_names_what_it_lacks(tmp_path: Path) -> None:
    for damaged in ([], {'batch_norm': {}, 'dataset': {}, 'model': 'resnet'}):
        with pytest.raises(ConfigError, match='config.json is damaged: it has no (batch_norm|model)'):
            checked(damaged, tmp_path / 'config.json')
