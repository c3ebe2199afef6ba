"""The fields of a config: what each means, and which values it may have. `configs/base.py` gives the defaults."""

import difflib
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from jax_resnet.config.durations import Duration
from jax_resnet.config.identity import flatten
from jax_resnet.data import DATASETS
from jax_resnet.errors import ConfigError


@dataclass(frozen=True)
class Field:
    """A field: its meaning, what is allowed, in words and as a test, and whether it may be empty (None)."""

    meaning: str
    allowed: str
    accepts: Callable[[Any], bool]
    optional: bool = False


def _whole(least: int, meaning: str, optional: bool = False) -> Field:
    words = f'a whole number, at least {least} and below 2**32'  # what a seed can be; nothing else needs more
    return Field(meaning, words, lambda v: type(v) is int and least <= v < 2**32, optional)


def _number(least: float, most: float, meaning: str, optional: bool = False, open_low: bool = False) -> Field:
    words = f'a finite number {"above" if open_low else "from"} {least:g}' + (
        f' to {most:g}' if most < math.inf else ''
    )
    return Field(
        meaning,
        words,
        lambda v: type(v) in (int, float) and math.isfinite(v) and least <= v <= most and not (open_low and v == least),
        optional,
    )


def _text(meaning: str, optional: bool = False) -> Field:
    return Field(meaning, 'a text', lambda v: isinstance(v, str), optional)


def _choice(names: Iterable[str], meaning: str) -> Field:
    names = list(names)
    return Field(meaning, 'one of ' + ', '.join(names), lambda v: v in names)


def _flag(meaning: str) -> Field:
    return Field(meaning, 'True or False', lambda v: isinstance(v, bool))


def _is_duration(value: Any) -> bool:
    try:
        return bool(Duration.parse(value))
    except (ValueError, AttributeError):
        return False


_A_DURATION = "a positive number and a unit, as '64000 steps', '2 epochs' or '8192000 examples'"


def _duration(meaning: str, optional: bool = False) -> Field:
    return Field(meaning, _A_DURATION, _is_duration, optional)


def _sequence(meaning: str, allowed: str, accepts: Callable[[Any], bool]) -> Field:
    return Field(meaning, f'a tuple of {allowed}', lambda v: isinstance(v, tuple) and all(map(accepts, v)))


def _is_share(value: Any) -> bool:
    return type(value) in (int, float) and 0 < value <= 1


FIELDS: dict[str, Field] = {
    'seed': _whole(0, 'of every random draw'),
    'batch_size': _whole(1, 'examples in a step'),
    'train_for': _duration('length of training'),
    'init_from': _text('run folder or weights file to begin with; a head of another width begins anew', optional=True),
    'evaluate_every': _duration('between evaluations, each a line of metrics.jsonl'),
    'checkpoint_every': _duration('between checkpoints, of which the last two are kept'),
    'keep_every': _duration('between checkpoints that are kept for good', optional=True),
    'log_every': _duration('between lines of progress where the output is no terminal'),
    'dataset.name': _choice(DATASETS, 'the data set'),
    'dataset.data_dir': _text('folder of prepared TFDS data; else TFDS_DATA_DIR, else ~/tensorflow_datasets', True),
    'dataset.manual_dir': _text('folder with the original archive, to prepare the data from', optional=True),
    'dataset.train': _text("split to train on, in TFDS's syntax: 'train', 'train[:45000]'"),
    'dataset.validation': _text("split to evaluate on beside the test split: 'train[45000:]'", optional=True),
    'dataset.test': _text('split to test on'),
    'dataset.normalization': _choice(['pixel_mean', 'channel', 'half'], "per-pixel mean subtracted (the papers'); "
                                     'channel_mean and channel_std; or 0.5 and 0.5'),
    'dataset.channel_mean': _sequence("each channel's mean", 'numbers from 0 to 1', lambda v: v == 0 or _is_share(v)),
    'dataset.channel_std': _sequence("each channel's standard deviation", 'numbers above 0 to 1', _is_share),
    'dataset.pad': _whole(0, 'pixels added on each side before the random crop'),
    'dataset.pad_with': _choice(['zero', 'black'], 'zero after normalization, or black pixels before it'),
    'dataset.crop': _whole(0, "height and width of the random crop; 0 is the image's own"),
    'dataset.flip': _flag('mirror half of the images'),
    'dataset.test_crop': _whole(0, 'height and width of the central crop that is evaluated; 0 is the whole image'),
    'optimizer.name': _choice(['sgd', 'adam'], 'the optimizer'),
    'optimizer.momentum': _number(0, 1, "kept of the last update; Adam's b1"),
    'optimizer.nesterov': _flag("Nesterov's momentum"),
    'optimizer.weight_decay': _number(0, math.inf, 'coupled L2: added to the gradient, times the parameter'),
    'optimizer.decay': _choice(['kernels', 'all'], 'what decays: kernels, or every parameter'),
    'loss.label_smoothing': _number(0, 0.9999, 'share of each label that is spread over all classes'),
    'schedule.name': _choice(['piecewise', 'cosine'], 'constant pieces, or half a cosine down to zero at the end'),
    'schedule.learning_rate': _number(0, math.inf, 'after warm-up and before the first drop', open_low=True),
    'schedule.drop_at': _sequence('when the rate is multiplied by factor', 'durations', _is_duration),
    'schedule.factor': _number(0, 1, 'of each drop', open_low=True),
    'schedule.warmup_for': _duration('length of the warm-up', optional=True),
    'schedule.warmup_learning_rate': _number(0, math.inf, 'during the warm-up', optional=True, open_low=True),
    'batch_norm.group_size': _whole(0, 'examples whose statistics are taken together; 0 is the whole batch'),
    'batch_norm.momentum': _number(0, 0.9999, 'what the running statistics keep at each step'),
    'batch_norm.epsilon': _number(0, 1, 'added to the variance', open_low=True),
    'memory.rematerialize': _flag('compute each unit again in the backward pass, and keep its input alone'),
    'memory.microbatches': _whole(1, 'parts that a batch is taken in, one after another, with one update'),
    'precision.compute': _choice(['float32', 'bfloat16'], 'of activations; parameters and statistics are float32'),
    'parallel.devices': _whole(1, 'local devices that share each batch; all of them where empty', optional=True),
}  # fmt: skip
"""Every field but those of `model`, which are the arguments of the network's function in `models`."""


def check(config: Mapping[str, Any]) -> None:
    """Checks each field by itself; no data is touched.

    Raises:
        ConfigError: an unknown or missing field, or a value that it cannot have.
    """
    if not isinstance(config.get('model'), Mapping):
        raise ConfigError('config.model: missing; the name of a network and its arguments')
    values = flatten(config)
    others = {name for name in values if name.startswith('model.')}
    for name in values.keys() - others:
        check_name(name)
    for name, field in FIELDS.items():
        if name not in values:
            raise ConfigError(f'config.{name}: missing; {field.meaning}; {field.allowed}')
        value = values[name]
        if not (field.optional and value is None) and not field.accepts(value):
            raise ConfigError(f'config.{name}={value!r}: must be {field.allowed}')


def check_name(name: str) -> None:
    """Raises ConfigError, with the nearest, where there is no field of that name; those of `model` are not checked."""
    if name not in FIELDS and not name.startswith('model.'):
        by_end = [field for field in FIELDS if field.rpartition('.')[2] == name.rpartition('.')[2]]
        nearest = [*by_end, *difflib.get_close_matches(name, FIELDS, 1)]
        hint = f'did you mean config.{nearest[0]}?' if nearest else f'there are {", ".join(FIELDS)}, model.*'
        raise ConfigError(f'config.{name}: unknown field; {hint}')


def without_none(config: Mapping[str, Any]) -> dict[str, Any]:
    """The config with None where an optional field says 'None', as a command line does to empty it."""

    def empty(name: str, value: Any) -> Any:
        return None if value == 'None' and name in FIELDS and FIELDS[name].optional else value

    groups = {name: group for name, group in config.items() if isinstance(group, Mapping)}
    return {name: empty(name, value) for name, value in config.items() if name not in groups} | {
        name: {leaf: empty(f'{name}.{leaf}', value) for leaf, value in group.items()} for name, group in groups.items()
    }


def describe(config: Mapping[str, Any]) -> str:
    """A line for each field of a config: its name and value, what it means, and what is allowed."""
    lines = []
    for name, value in flatten(config).items():
        field = FIELDS.get(name)
        about = f'{field.meaning} ({field.allowed})' if field else "an argument of the network's function in models"
        lines.append(f'  {name}={"" if value is None else value}\n      {about}')
    return '\n'.join(lines)
