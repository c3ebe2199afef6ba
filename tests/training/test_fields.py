import re

import pytest

from jax_resnet.errors import ConfigError
from jax_resnet.training.fields import FIELDS, check, flatten
from tests.conftest import small_config


def test_the_base_config_passes_and_has_every_field() -> None:
    config = small_config()
    check(config)
    assert {name for name in flatten(config) if not name.startswith('model.')} == set(FIELDS)


@pytest.mark.parametrize(
    ('name', 'value', 'allowed'),
    [
        ('seed', -1, 'a whole number, at least 0'),
        ('seed', 2**32, 'a whole number, at least 0 and below 2**32'),
        ('batch_size', 0, 'a whole number, at least 1'),
        ('batch_size', 1.5, 'a whole number'),
        ('batch_size', True, 'a whole number'),
        ('train_for', '12', 'a positive number and a unit'),
        ('train_for', 12, 'a positive number and a unit'),
        ('evaluate_every', None, 'a positive number and a unit'),
        ('dataset.name', 'svhn', 'one of cifar10, cifar100, digits'),
        ('dataset.normalization', 'mean', 'one of pixel_mean, channel, half'),
        ('dataset.channel_std', (0.2, 0.0, 0.2), 'a tuple of numbers above 0 to 1'),
        ('dataset.flip', 1, 'True or False'),
        ('dataset.data_dir', 5, 'a text'),
        ('optimizer.momentum', 1.1, 'a finite number from 0 to 1'),
        ('optimizer.weight_decay', float('nan'), 'a finite number from 0'),
        ('optimizer.decay', 'some', 'one of kernels, all'),
        ('schedule.learning_rate', 0.0, 'a finite number above 0'),
        ('schedule.learning_rate', float('inf'), 'a finite number above 0'),
        ('schedule.drop_at', ['5 steps'], 'a tuple of durations'),
        ('schedule.drop_at', ('5',), 'a tuple of durations'),
        ('batch_norm.epsilon', 0, 'a finite number above 0 to 1'),
        ('precision.compute', 'float16', 'one of float32, bfloat16'),
        ('parallel.devices', 0, 'a whole number, at least 1'),
    ],
)
def test_a_wrong_value_is_one_line_with_field_value_and_what_is_allowed(name: str, value: object, allowed: str) -> None:
    config = small_config()
    group, _, leaf = name.rpartition('.')
    (config[group] if group else config)[leaf] = value
    with pytest.raises(ConfigError, match=re.escape(f'config.{name}={value!r}: must be {allowed}')) as error:
        check(config)
    assert '\n' not in str(error.value)


def test_an_unknown_field_names_the_nearest() -> None:
    config = small_config()
    config['schedule']['learnin_rate'] = 0.1
    with pytest.raises(
        ConfigError, match=r'learnin_rate: unknown field; did you mean config\.schedule\.learning_rate\?'
    ):
        check(config)


def test_a_missing_field_says_what_it_means() -> None:
    config = small_config()
    del config['batch_size']
    with pytest.raises(ConfigError, match='config.batch_size: missing; examples in a step; a whole number, at least 1'):
        check(config)
