"""The table of a config's fields: their meaning and allowed values. `configs/base.py` has the defaults."""

import math
import re
from collections.abc import Mapping
from typing import Any

from jax_resnet.config.completion import complete, flatten, with_defaults
from jax_resnet.config.kinds import (
    Field,
    choice,
    duration,
    flag,
    is_duration,
    is_share,
    is_whole,
    number,
    sequence,
    shown,
    text,
    whole,
)
from jax_resnet.config.model_fields import ARGUMENTS, NETWORK, arguments_of
from jax_resnet.config.spelling import suggestion
from jax_resnet.errors import ConfigError


def _data_sets() -> str:
    from jax_resnet.data import DATASETS  # this import is slower than all others here

    return f'one of {", ".join(DATASETS)}, or tfds/NAME for pictures that TFDS has prepared'


def _is_data_set(value: Any) -> bool:
    from jax_resnet.data import DATASETS

    return value in DATASETS or re.fullmatch(r'tfds/\w[\w.-]*(/\w[\w.-]*)?', value) is not None


FIELDS: dict[str, Field] = {
    'seed': whole(0, 'seed of all random draws'),
    'batch_size': whole(1, 'number of examples in a step'),
    'train_for': duration('length of training'),
    'init_from': text('run folder or weights file with the initial weights; a head with another number of classes '
                      'is initialized at random', optional=True),
    'evaluate_every': duration('interval between evaluations; each one adds a line to metrics.jsonl'),
    'checkpoint_every': duration('interval between checkpoints; the last two are kept'),
    'keep_every': duration('interval between checkpoints that are never deleted', optional=True),
    'log_every': duration('interval between lines of progress if the output is not a terminal'),
    'dataset.name': Field('the data set', _data_sets, _is_data_set),
    'dataset.data_dir': text('folder of prepared TFDS data; if empty: TFDS_DATA_DIR, or else ~/tensorflow_datasets',
                             optional=True),
    'dataset.manual_dir': text('folder with the original archive: CIFAR is prepared from it, ImageNet is read from it',
                               optional=True),
    'dataset.folder': text('folder of pictures to read instead, with a folder for each class', optional=True),
    'dataset.check': choice(['headers', 'all', 'none'], 'check of all pictures before training: their headers only; '
                            'a complete decoding; or no check'),
    'dataset.validation_fraction': number(0, 0.9, 'about this fraction of each class is drawn for validation if the '
                                          'folder has no validation split', open_low=True),
    'dataset.split_seed': whole(0, 'seed of this draw; a picture is drawn by its class and the name of its file'),
    'dataset.train': text("split to train on, in TFDS's syntax: 'train', 'train[:45000]'"),
    'dataset.validation': text("split to evaluate on, in addition to the test split: 'train[45000:]'", optional=True),
    'dataset.test': text('split to test on'),
    'dataset.normalization': choice(['pixel_mean', 'channel', 'half'], 'pixel_mean subtracts the mean image (the '
                                    'papers); channel uses channel_mean and channel_std; half uses 0.5 and 0.5'),
    'dataset.channel_mean': sequence('mean of each channel', 'numbers from 0 to 1', lambda v: v == 0 or is_share(v)),
    'dataset.channel_std': sequence('standard deviation of each channel', 'numbers above 0 and at most 1', is_share),
    'dataset.pad': whole(0, 'pixels added on each side before the random crop', most=1024),
    'dataset.pad_with': choice(['zero', 'black'], 'zero pads with zeros after normalization; black pads with black '
                               'pixels before it'),
    'dataset.crop': whole(0, "height and width of the random crop; 0 is the image's own size", most=4096),
    'dataset.flip': flag('mirror training images with probability 1/2'),
    'dataset.color_jitter': number(0, 1, 'largest relative change of brightness, contrast, saturation (0.4 is usual)'),
    'dataset.lighting': number(0, 10, "standard deviation of AlexNet's PCA lighting (0.1 is usual)"),
    'dataset.test_crop': whole(0, 'height and width of the central crop in evaluation; 0 is the whole image, or crop '
                                  'for pictures', most=4096),
    'pictures.view': choice(['area', 'scale', 'centre'], 'part of a picture for training: a random area and aspect '
                            'ratio; a random crop at a random shorter_side; or the central crop'),
    'pictures.area': sequence("smallest and largest fraction of the picture's area",
                              'two numbers above 0 and at most 1', is_share, [2]),
    'pictures.aspect_ratio': sequence('smallest and largest width / height', 'two numbers from 0.01 to 100',
                                      lambda v: type(v) in (int, float) and 0.01 <= v <= 100, [2]),
    'pictures.shorter_side': sequence('smallest and largest shorter side with view=scale, in pixels',
                                      'two whole numbers from 1 to 8192', lambda v: is_whole(v, 1) and v <= 8192, [2]),
    'pictures.test_shorter_side': whole(1, 'shorter side of the picture before the central crop, in pixels', most=8192),
    'pictures.interpolation': choice(['bilinear', 'bicubic'], "Pillow's filter for resizing"),
    'pictures.exif_rotation': flag('rotate pictures by their EXIF orientation'),
    'pictures.protocol': choice(['center', 'ten_crop', 'multi_scale'], 'test at the end, in addition to the central '
                                'crop: none; ten crops of each picture; or the whole picture at five scales'),
    'pictures.average': choice(['softmax', 'logits'], 'scores that are averaged over the views of a picture'),
    'pictures.threads': whole(0, 'decoding threads in each process; 0 divides the CPU cores among the processes',
                              most=1024),
    'pictures.processes': whole(0, 'decoding processes; 0 decodes in the training process', most=256),
    'optimizer.name': choice(['sgd', 'adam'], 'the optimizer'),
    'optimizer.momentum': number(0, 1, 'momentum of SGD, or b1 of Adam'),
    'optimizer.momentum_of': choice(['gradients', 'steps'], 'what the momentum sums: gradients, and the sum is '
                                    'multiplied by the current learning rate (PyTorch); or steps, each a gradient '
                                    'multiplied by the learning rate of its own step (Caffe)'),
    'optimizer.nesterov': flag("use Nesterov's momentum"),
    'optimizer.weight_decay': number(0, math.inf, 'factor of the parameter that is added to its gradient (coupled L2)'),
    'optimizer.decay': choice(['kernels', 'all_but_batch_norm', 'all'], 'parameters that decay: kernels; all except '
                              "BatchNorm's scales and biases; or all"),
    'loss.label_smoothing': number(0, 0.9999, 'share of each label that is spread over all classes'),
    'schedule.name': choice(['piecewise', 'cosine'], 'constant between drops; or half a cosine that falls to zero at '
                            'the end'),
    'schedule.learning_rate': number(0, math.inf, 'learning rate after the warm-up and before the first drop',
                                     open_low=True),
    'schedule.drop_at': sequence('when the learning rate is multiplied by factor', 'durations', is_duration),
    'schedule.factor': number(0, 1, 'factor of each drop', open_low=True),
    'schedule.head_factor': number(0, 1e6, "factor of the head's learning rate, relative to the other layers",
                                   open_low=True),
    'schedule.warmup_shape': choice(['constant', 'linear'], 'constant at warmup_learning_rate, or rising from it'),
    'schedule.warmup_for': duration('length of the warm-up', optional=True),
    'schedule.warmup_learning_rate': number(0, math.inf, 'learning rate of a constant warm-up, or at the start of a '
                                            'linear one', optional=True),
    'batch_norm.group_size': whole(0, 'examples that are normalized together; 0 is the whole batch'),
    'batch_norm.momentum': number(0, 0.9999, 'weight of the old running statistics at each step'),
    'batch_norm.epsilon': number(0, 1, 'constant that is added to the variance', open_low=True),
    'memory.rematerialize': flag('keep only the input of each unit, and compute the unit again in the backward pass'),
    'memory.microbatches': whole(1, 'parts of a batch that are computed one after another, with one update'),
    'precision.compute': choice(['float32', 'bfloat16'], 'type of activations; parameters and statistics are float32'),
    'precision.matmul': choice(
        ['default', 'float32'],
        "precision of float32 products and convolutions: the platform's default (TF32 on an NVIDIA GPU), or float32",
    ),
    'precision.deterministic': flag('on a GPU, compute the same bits in each start; slower'),
    'gpu.graphs': flag('on a GPU, launch the operations of many steps as one CUDA graph; False if graphs cause errors'),
    'gpu.flat_arrays': flag("on a GPU, join the network's arrays to a few flat ones, for fewer operations"),
    'gpu.batch_norm_sums': flag("on a GPU, compute BatchNorm's two sums in one pass, with a hand-written gradient"),
    'parallel.devices': whole(1, 'devices of all processes that share a batch; if empty: all devices', optional=True),
}  # fmt: skip
"""All fields except those of `model`, the network's name and arguments; `model_fields` has these."""


def fields_of(network: Any) -> dict[str, Field]:
    """All fields of a config with this network, by dotted name. An unknown network has no arguments."""
    arguments = {f'model.{name}': field for name, (_, field) in arguments_of(network).items()}
    return FIELDS | {'model.name': NETWORK} | arguments


def every_field() -> dict[str, Field]:
    """Fields of all networks, by dotted name. If networks share a name, one of their fields is returned."""
    return {name: field for network in ARGUMENTS for name, field in fields_of(network).items()}


def checked(config: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a config after `completion.complete` and `check`, which describe its type and the errors."""
    whole = complete(config)
    check(whole)
    return whole


def check(config: Mapping[str, Any]) -> None:
    """Checks each field on its own, without reading data. The network's arguments may be missing if they have defaults.

    Raises:
        ConfigError: a field is unknown or missing, or its value is not allowed.
    """
    if not isinstance(config.get('model'), Mapping):
        raise ConfigError('config.model: is missing; must be the name of a network and its arguments')
    values = flatten({**config, 'model': with_defaults(config['model'])})
    fields = fields_of(values.get('model.name'))
    if 'model.name' in values:
        check_value('model.name', values['model.name'], NETWORK)
    for name in values:
        check_name(name, values.get('model.name'))
    for name, field in fields.items():
        if name in values:
            check_value(name, values[name], field)
        else:
            raise ConfigError(f'config.{name}: is missing ({field.meaning}); must be {field.allowed}')


def check_name(name: str, network: Any = None) -> None:
    """Raises ConfigError, with similar names, if there is no such field.

    Args:
        name: dotted name of the field.
        network: the config's network; None if it is not known yet, so that arguments of all networks are accepted.
    """
    known = every_field() if network is None else fields_of(network)
    if name in known:
        return
    if network is not None and name in every_field():
        raise ConfigError(
            f'config.{name}: is not an argument of {network}, which has {", ".join(arguments_of(network))}'
        )
    raise ConfigError(f'config.{name}: {suggestion(name, known)}')


def check_value(name: str, value: Any, field: Field) -> None:
    """Raises ConfigError if the field does not allow this value."""
    if not field.accepts(value):
        raise ConfigError(f'config.{name}={shown(value)}: must be {field.allowed}')


def describe(config: Mapping[str, Any]) -> str:
    """Two lines of text for each field of a config: name and value; meaning and allowed values."""
    lines, values = [], flatten(config)
    for name, field in sorted(fields_of(values.get('model.name')).items()):
        value = values.get(name)
        none = ', or None' if field.optional else ''
        lines.append(f'  {name}={"" if value is None else value}\n      {field.meaning} ({field.allowed}{none})')
    return '\n'.join(lines)
