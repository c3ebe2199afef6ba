import pytest

from jax_resnet.config.fields import FIELDS, check
from jax_resnet.config.identity import flatten
from jax_resnet.config.pictures import ONLY_FOR_PICTURES
from jax_resnet.errors import ConfigError
from tests.conftest import small_config


def test_the_base_config_passes_and_has_every_field() -> None:
    config = small_config()
    check(config)
    assert {name for name in flatten(config) if not name.startswith('model.')} == set(FIELDS)


def test_the_base_config_has_the_defaults_of_fields_for_pictures() -> None:
    assert flatten(small_config()).items() >= ONLY_FOR_PICTURES.items()


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
    with pytest.raises(
        ConfigError, match='config.batch_size: is missing .number of examples in a step.; must be a whole number'
    ):
        check(config)


@pytest.mark.parametrize(
    ('field', 'value', 'message'),
    [
        ('schedule.learning_rate', 1e-46, 'must be a finite number above 0 in the range of float32'),  # 0 there
        ('schedule.learning_rate', 1e39, 'must be a finite number above 0 in the range of float32'),  # infinite there
        ('dataset.pad', 4294967295, 'must be a whole number, at least 0 and at most 1024'),
    ],
)
def test_numbers_that_training_could_not_hold_are_refused(field: str, value: float, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        check(small_config(**{field: value}))
