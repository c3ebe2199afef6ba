"""Describes the fields of a config in words. Reports and the README use the same words."""

from collections.abc import Callable, Mapping
from typing import Any

NAMES = {
    'dataset.name': 'data set',
    'dataset.train': 'training split',
    'dataset.validation': 'validation split',
    'dataset.test': 'test split',
    'schedule.factor': 'factor of a drop',
    'model.v1_5': 'v1.5',
    'batch_norm.group_size': 'BatchNorm group size',
    'batch_norm.momentum': 'BatchNorm momentum',
    'batch_norm.epsilon': 'BatchNorm epsilon',
    'batch_norm.frozen': 'BatchNorm frozen',
    'optimizer.frozen': 'frozen layers',
    'precision.compute': 'precision',
}
"""Names of fields in reports, if they are not the field's own name with spaces."""

PHRASES: Mapping[str, Callable[[Any], str]] = {
    'train_for': lambda value: f'trained for {value}',
    'shorten': lambda value: f'shortened {value} times',
    'init_from': lambda value: f'initial weights of {value}' if value else 'random initial weights',
    'schedule.drop_at': lambda value: f'learning rate drops at {" and ".join(value) or "no step"}',
    'schedule.warmup_for': lambda value: f'warm-up of {value}' if value else 'no warm-up',
}
"""Phrases for fields that are not shown as name and value."""


def field_name(field: str) -> str:
    """Names a field, given by its dotted name: 'schedule.learning_rate' becomes 'learning rate'."""
    group, _, leaf = field.rpartition('.')
    return NAMES.get(field) or (group if leaf == 'name' else leaf).replace('_', ' ')


def value_name(value: Any) -> str:
    """Describes a value of a config."""
    if isinstance(value, list | tuple):
        return ', '.join(map(str, value)) or 'none'
    if value is None or isinstance(value, bool):
        return {True: 'yes', False: 'no', None: 'none'}[value]
    return str(value)


def phrase(field: str, value: Any) -> str:
    """Describes a field and its value in a few words: 'trained for 8 epochs', 'learning rate 0.01', 'no flip'."""
    if field in PHRASES:
        return PHRASES[field](value)
    if value is None or isinstance(value, bool):
        return field_name(field) if value else f'no {field_name(field)}'
    return f'{field_name(field)} {value_name(value)}'


def label(name: str, changes: Mapping[str, Any]) -> str:
    """Names a config or a row, and the changes in it: 'resnet20_cifar10, trained for 8 epochs'."""
    return ', '.join(filter(None, [name, *(phrase(*change) for change in changes.items())]))
