"""The table says of each field what it is and allows."""

from typing import Any

import pytest
from msgspec import NODEFAULT

from jax_resnet.config.fields import fields_with
from jax_resnet.config.loading import as_config, parse
from jax_resnet.errors import ConfigError
from tests.conftest import RESNET8, small_config


def test_a_field_accepts_its_default_and_says_more_than_its_name() -> None:
    for name, field in fields_with().items():
        assert len(field.meaning) > 5 and len(field.allowed) > 5, name
        assert field.default is NODEFAULT or parse(str(field.default), field) == field.default, name


@pytest.mark.parametrize(
    ('field', 'value', 'message'),
    [
        ('schedule.learning_rate', 1e-46, 'a number, at least 1.2e-38, at most 3.4e+38'),  # 0 in float32
        ('model.depth', '20', 'an integer'),
        ('model.shortcut', 'scaling_1', "one of '', A, A_centred, B, C, none, dropout, scaling_"),
        ('model.stage_sizes', (9, 9, 0), 'a tuple of (an integer, at least 1'),
        ('model.zero_last_scale', 0, 'True or False'),
        ('evaluate_every', None, 'a positive number and a unit'),
        ('dataset.data_dir', 5, 'a string, or None'),
        ('pictures.area', (0.5,), 'a tuple of 2 x (a number, above 0, at most 1)'),
        ('optimizer.weight_decay', float('nan'), 'a number, at least 0'),
        ('schedule.drop_at', ('5',), 'a tuple of (a positive number and a unit'),
    ],
)
def test_a_value_that_is_not_allowed(field: str, value: Any, message: str) -> None:
    config = small_config(RESNET8)
    group, _, leaf = field.rpartition('.')
    (config[group] if group else config)[leaf] = value
    with pytest.raises(ConfigError) as error:
        as_config(config)
    assert str(error.value).startswith(f'config.{field}={value!r}: must be {message}')
