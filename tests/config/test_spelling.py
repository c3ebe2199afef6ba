import pytest

from jax_resnet.config.fields import every_field
from jax_resnet.config.spelling import suggestion


@pytest.mark.parametrize(
    ('name', 'meant'),
    [
        ('schedule.lr', 'schedule.learning_rate'),
        ('learning_rate', 'schedule.learning_rate'),
        ('optimizer.wd', 'optimizer.weight_decay'),
        ('bs', 'batch_size'),
        ('epochs', 'train_for'),
        ('classes', 'model.num_classes'),
        ('model.layers', 'model.depth'),
        ('sed', 'seed'),
        ('modle.depth', 'model.depth'),
        ('warmup', 'schedule.warmup_for'),
        ('schedule.learnin_rate', 'schedule.learning_rate'),
    ],
)
def test_one_field_is_clearly_meant(name: str, meant: str) -> None:
    assert suggestion(name, every_field()) == f'unknown field; did you mean config.{meant}?'


@pytest.mark.parametrize(
    ('name', 'first'),
    [
        ('lr', 'schedule.learning_rate, config.schedule.warmup_learning_rate'),
        ('wd', 'optimizer.weight_decay'),
        ('name', 'dataset.name'),
        ('momentm', 'optimizer.momentum, config.batch_norm.momentum'),
        ('layers', 'model.depth'),
        ('zzz', ''),
    ],
)
def test_else_three_are_named(name: str, first: str) -> None:
    said = suggestion(name, every_field())
    assert said.startswith(f'unknown field; the nearest are config.{first}') and said.count('config.') == 3


def test_a_group_names_its_fields() -> None:
    assert suggestion('loss', every_field()) == 'is a group of fields: config.loss.label_smoothing'
