"""The table of a config's fields: their meaning and allowed values. `configs/base.py` has the defaults."""

import math
import re
from collections.abc import Mapping
from typing import Any

from jax_resnet.config.completion import flatten, missing
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

    return f'one of {", ".join(DATASETS)}, or tfds/NAME, as TFDS has prepared it'


def _is_data_set(value: Any) -> bool:
    from jax_resnet.data import DATASETS

    return value in DATASETS or re.fullmatch(r'tfds/\w[\w.-]*(/\w[\w.-]*)?', value) is not None


FIELDS: dict[str, Field] = {
    'seed': whole(0, 'of every random draw'),
    'batch_size': whole(1, 'examples in a step'),
    'train_for': duration('length of training'),
    'init_from': text('run folder or weights file to begin with; a head of another width begins anew', optional=True),
    'evaluate_every': duration('between evaluations, each a line of metrics.jsonl'),
    'checkpoint_every': duration('between checkpoints, of which the last two are kept'),
    'keep_every': duration('between checkpoints that are kept for good', optional=True),
    'log_every': duration('between lines of progress where the output is no terminal'),
    'dataset.name': Field('the data set', _data_sets, _is_data_set),
    'dataset.data_dir': text('folder of prepared TFDS data; else TFDS_DATA_DIR, else ~/tensorflow_datasets', True),
    'dataset.manual_dir': text('folder with the original archive, to prepare the data from', optional=True),
    'dataset.folder': text('folder of pictures, with a folder for each class, to read instead', optional=True),
    'dataset.check': choice(['headers', 'all', 'none'], 'what is read of all pictures before training begins'),
    'dataset.validation_fraction': number(0, 0.9, 'of each class, where a folder has no split for it', open_low=True),
    'dataset.split_seed': whole(0, 'by which these are drawn'),
    'dataset.train': text("split to train on, in TFDS's syntax: 'train', 'train[:45000]'"),
    'dataset.validation': text("split to evaluate on beside the test split: 'train[45000:]'", optional=True),
    'dataset.test': text('split to test on'),
    'dataset.normalization': choice(['pixel_mean', 'channel', 'half'], "per-pixel mean subtracted (the papers'); "
                                     'channel_mean and channel_std; or 0.5 and 0.5'),
    'dataset.channel_mean': sequence("each channel's mean", 'numbers from 0 to 1', lambda v: v == 0 or is_share(v)),
    'dataset.channel_std': sequence("each channel's standard deviation", 'numbers above 0 to 1', is_share),
    'dataset.pad': whole(0, 'pixels added on each side before the random crop', most=1024),
    'dataset.pad_with': choice(['zero', 'black'], 'zero after normalization, or black pixels before it'),
    'dataset.crop': whole(0, "height and width of the random crop; 0 is the image's own", most=4096),
    'dataset.flip': flag('mirror half of the images'),
    'dataset.color_jitter': number(0, 1, 'how far brightness, contrast and saturation may change (0.4 is usual)'),
    'dataset.lighting': number(0, 10, "standard deviation of AlexNet's PCA lighting (0.1 is usual)"),
    'dataset.test_crop': whole(0, 'height and width of the central crop that is evaluated; 0 is the whole image, '
                                  'or of pictures the crop', most=4096),
    'pictures.view': choice(['area', 'scale', 'centre'], 'what training sees: a random area and aspect ratio; a random '
                            'crop at a random shorter_side; or the central crop'),
    'pictures.area': sequence('least and most share of the picture', 'two numbers above 0 to 1', is_share, [2]),
    'pictures.aspect_ratio': sequence('least and most width over height', 'two numbers from 0.01 to 100',
                                      lambda v: type(v) in (int, float) and 0.01 <= v <= 100, [2]),
    'pictures.shorter_side': sequence('least and most length, in pixels', 'two whole numbers to 8192',
                                      lambda v: is_whole(v, 1) and v <= 8192, [2]),
    'pictures.test_shorter_side': whole(1, 'length, in pixels, before the central crop', most=8192),
    'pictures.interpolation': choice(['bilinear', 'bicubic'], 'how pictures are resized, smoothed as Pillow does'),
    'pictures.exif_rotation': flag('turn pictures as their EXIF says'),
    'pictures.protocol': choice(['center', 'ten_crop', 'multi_scale'], 'what is tested at the end, beside the central '
                                'crop: ten crops of each picture, or the whole of it at five scales'),
    'pictures.average': choice(['softmax', 'logits'], 'what of several views is averaged'),
    'pictures.threads': whole(0, 'that decode pictures, in each process; 0 is one a CPU core', most=1024),
    'pictures.processes': whole(0, 'that have these threads; 0 is the one that trains', most=256),
    'optimizer.name': choice(['sgd', 'adam'], 'the optimizer'),
    'optimizer.momentum': number(0, 1, "kept of the last update; Adam's b1"),
    'optimizer.momentum_of': choice(['gradients', 'steps'], 'what the momentum sums: gradients, times the rate of now '
                                    '(PyTorch), or steps, each gradient times the rate of its time (Caffe)'),
    'optimizer.nesterov': flag("Nesterov's momentum"),
    'optimizer.weight_decay': number(0, math.inf, 'coupled L2: added to the gradient, times the parameter'),
    'optimizer.decay': choice(['kernels', 'all_but_batch_norm', 'all'], 'what decays: kernels; all but '
                              "BatchNorm's scales and biases; or every parameter"),
    'loss.label_smoothing': number(0, 0.9999, 'share of each label that is spread over all classes'),
    'schedule.name': choice(['piecewise', 'cosine'], 'constant pieces, or half a cosine down to zero at the end'),
    'schedule.learning_rate': number(0, math.inf, 'after warm-up and before the first drop', open_low=True),
    'schedule.drop_at': sequence('when the rate is multiplied by factor', 'durations', is_duration),
    'schedule.factor': number(0, 1, 'of each drop', open_low=True),
    'schedule.head_factor': number(0, 1e6, "the head's learning rate over that of all else", open_low=True),
    'schedule.warmup_shape': choice(['constant', 'linear'], 'at warmup_learning_rate, or rising from it'),
    'schedule.warmup_for': duration('length of the warm-up', optional=True),
    'schedule.warmup_learning_rate': number(0, math.inf, 'during the warm-up, or at its beginning', optional=True),
    'batch_norm.group_size': whole(0, 'examples whose statistics are taken together; 0 is the whole batch'),
    'batch_norm.momentum': number(0, 0.9999, 'what the running statistics keep at each step'),
    'batch_norm.epsilon': number(0, 1, 'added to the variance', open_low=True),
    'memory.rematerialize': flag('compute each unit again in the backward pass, and keep its input alone'),
    'memory.microbatches': whole(1, 'parts that a batch is taken in, one after another, with one update'),
    'precision.compute': choice(['float32', 'bfloat16'], 'of activations; parameters and statistics are float32'),
    'precision.matmul': choice(
        ['default', 'float32'],
        "what float32 is in products and convolutions: the platform's default (TF32 on an NVIDIA GPU), or all of it",
    ),
    'precision.deterministic': flag('on a GPU, the same bits in each start; slower'),
    'gpu.fused_kernels': flag('on a GPU, one kernel a layer and direction; for basic units; never timed'),
    'parallel.devices': whole(1, 'devices of all processes that share a batch; empty: all of them', optional=True),
}  # fmt: skip
"""All fields except those of `model`, the network's name and arguments; `model_fields` has these."""


def fields_of(network: Any) -> dict[str, Field]:
    """All fields of a config with this network, by dotted name. An unknown network has no arguments."""
    arguments = {f'model.{name}': field for name, (_, field) in arguments_of(network).items()}
    return FIELDS | {'model.name': NETWORK} | arguments


def every_field() -> dict[str, Field]:
    """Fields of all networks, by dotted name. If networks share a name, one of their fields is returned."""
    return {name: field for network in ARGUMENTS for name, field in fields_of(network).items()}


def check(config: Mapping[str, Any]) -> None:
    """Checks each field on its own, without reading data. The network's arguments may be missing if they have defaults.

    Raises:
        ConfigError: a field is unknown or missing, or its value is not allowed.
    """
    if not isinstance(config.get('model'), Mapping):
        raise ConfigError('config.model: missing; the name of a network and its arguments')
    values = flatten(config)
    fields = fields_of(values.get('model.name'))
    if 'model.name' in values:
        check_value('model.name', values['model.name'], NETWORK)
    for name in values:
        check_name(name, values.get('model.name'))
    defaults = missing(values)
    for name, field in fields.items():
        if name in values:
            check_value(name, values[name], field)
        elif not (name in defaults and name.startswith('model.')):
            raise ConfigError(f'config.{name}: missing; {field.meaning}; {field.allowed}')


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
        raise ConfigError(f'config.{name}: {network} has no such argument; it has {", ".join(arguments_of(network))}')
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
