"""Describes recipes, and the changes to a config file, in words. Reports and the README use the same words."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

NAMES = {
    'init_from': 'initial weights',
    'shorten': 'times shortened',
    'dataset.name': 'data set',
    'dataset.train': 'training split',
    'dataset.validation': 'validation split',
    'dataset.test': 'test split',
    'dataset.flip': 'mirrored images',
    'dataset.pad': 'padding',
    'pictures.view': 'view in training',
    'pictures.area': 'smallest and largest area of a view',
    'pictures.aspect_ratio': 'smallest and largest aspect ratio of a view',
    'pictures.shorter_side': 'smallest and largest shorter side in training',
    'pictures.test_shorter_side': 'shorter side in the test',
    'pictures.exif_rotation': 'rotation by EXIF',
    'pictures.protocol': 'protocol of the last test',
    'pictures.average': 'averaged over views',
    'schedule.drop_at': 'learning rate drops',
    'schedule.factor': 'factor of a drop',
    'schedule.head_factor': "factor of the head's learning rate",
    'schedule.warmup_for': 'warm-up',
    'schedule.warmup_shape': 'shape of the warm-up',
    'schedule.warmup_learning_rate': 'learning rate of the warm-up',
    'optimizer.decay': 'weight decay on',
    'optimizer.frozen': 'frozen layers',
    'optimizer.momentum_of': 'what the momentum sums',
    'model.v1_5': "stride in a bottleneck's 3x3 convolution",
    'model.zero_last_scale': 'zero-initialized last scale',
    'batch_norm.group_size': "examples in BatchNorm's group",
    'batch_norm.momentum': "BatchNorm's momentum",
    'batch_norm.epsilon': "BatchNorm's epsilon",
    'batch_norm.frozen': "BatchNorm's statistics frozen",
    'precision.compute': 'precision',
    'precision.matmul': 'precision of products',
}
"""Names of fields in reports, if they are not the field's own name with spaces."""

VALUES: Mapping[str, Mapping[Any, str]] = {
    'model.initialization': {
        'fan_out': "He's by fan-out",
        'fan_out_small_head': "He's by fan-out, with N(0, 0.01) for the head",
        'fan_in': "He's by fan-in",
        'lecun': "LeCun's",
    },
    'optimizer.decay': {'all_but_batch_norm': 'all except BatchNorm'},
    'pictures.average': {'softmax': 'probabilities'},
    'pictures.protocol': {'center': 'central crop', 'ten_crop': '10-crop', 'multi_scale': 'multi-scale'},
    'pictures.view': {'area': 'random areas', 'scale': 'random scales', 'centre': 'central crops'},
}
"""Names of values in reports, by field, if they are not the value itself."""


def _drops(value: Any) -> str:
    return f'learning rate drops at {_joined(value)}' if value else 'learning rate never drops'


PHRASES: Mapping[str, Callable[[Any], str]] = {
    'train_for': lambda value: f'trained for {value}',
    'shorten': lambda value: f'shortened {value} times',
    'batch_size': lambda value: f'batches of {value}',
    'evaluate_every': lambda value: f'evaluated every {value}',
    'init_from': lambda value: f'initial weights of {value}' if value else 'random initial weights',
    'dataset.name': lambda value: f'on {value}',
    'dataset.folder': lambda value: f'pictures in {value}' if value else 'no folder of pictures',
    'schedule.drop_at': _drops,
    'schedule.warmup_for': lambda value: f'warm-up of {value}' if value else 'no warm-up',
    'schedule.warmup_shape': lambda value: f'{value} warm-up',
    'schedule.head_factor': lambda value: f"the head's learning rate times {value}",
    'optimizer.momentum_of': lambda value: f'momentum of {value}',
    'pictures.view': lambda value: f'trained on {value_name(value, "pictures.view")} of pictures',
    'pictures.protocol': lambda value: f'tested by {value_name(value, "pictures.protocol")}',
    'pictures.average': lambda value: f'{value_name(value, "pictures.average")} averaged over views',
    'precision.compute': lambda value: f'computed in {value}',
}
"""Phrases for fields that are not shown as name and value."""


def field_name(field: str) -> str:
    """Names a field, given by its dotted name: 'schedule.learning_rate' becomes 'learning rate'."""
    group, _, leaf = field.rpartition('.')
    return NAMES.get(field) or (group if leaf == 'name' else leaf).replace('_', ' ')


def value_name(value: Any, field: str = '') -> str:
    """Describes a value of a config, in the words of VALUES if the field is given."""
    if isinstance(value, str) and value in VALUES.get(field, ()):
        return VALUES[field][value]
    if isinstance(value, list | tuple):
        return _joined(value) or 'none'
    if value is None or isinstance(value, bool):
        return {True: 'yes', False: 'no', None: 'none'}[value]
    return str(value)


def phrase(field: str, value: Any) -> str:
    """Describes a field and its value in a few words: 'trained for 8 epochs', 'learning rate 0.01', 'no flip'."""
    if field in PHRASES:
        return PHRASES[field](value)
    if value is None or isinstance(value, bool):
        return field_name(field) if value else f'no {field_name(field)}'
    return f'{field_name(field)} {value_name(value, field)}'


def label(name: str, changes: Mapping[str, Any]) -> str:
    """Names a config or a row, and the changes in it: 'resnet20_cifar10, trained for 8 epochs'."""
    return ', '.join(filter(None, [name, *(phrase(*change) for change in changes.items())]))


def _joined(values: Sequence[Any]) -> str:
    """Joins values: 'a, b and c'; durations with the same unit become '6 and 9 epochs'."""
    texts = [*map(str, values)]
    units = {text.partition(' ')[2].removesuffix('s') for text in texts}
    if len(texts) > 1 and len(units) == 1 and units != {''}:
        texts = [*(text.partition(' ')[0] for text in texts[:-1]), texts[-1]]
    return ' and '.join(filter(None, [', '.join(texts[:-1]), *texts[-1:]]))
