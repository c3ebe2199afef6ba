"""A rehearsal of a run: the same recipe on the digits, for a twentieth of the epochs."""

from fractions import Fraction
from typing import Any

from jax_resnet.config.durations import Duration
from jax_resnet.config.fields import Config
from jax_resnet.data import DATASETS, datasets
from jax_resnet.errors import ConfigError

SHARE = Fraction(1, 20)
"""A rehearsal has this share of the run's epochs: 164 epochs on CIFAR become 8.2."""

CIFAR_EXAMPLES = DATASETS['cifar10'].splits['train']


def changes(config: Config) -> dict[str, Any]:
    """Returns the fields to change, by dotted name: the data set becomes the digits, and every duration is shortened.

    Args:
        config: the config of the run, on CIFAR.

    Raises:
        ConfigError: the config trains on a data set of pictures.
    """
    if datasets.find(config.dataset.name).image_shape is None:
        raise ConfigError(
            f'--rehearse: is only for studies on CIFAR; the digits are too small for {config.model.name} '
            f'on {config.dataset.name}'
        )
    schedule = config.schedule
    wanted: dict[str, Any] = {
        'dataset.name': 'digits',
        'dataset.normalization': 'pixel_mean',
        'dataset.pad_with': 'zero',
        'dataset.pad': 1,
        'dataset.crop': 0,
        'dataset.test_crop': 0,
        'dataset.flip': False,
        'train_for': _shorten(config.train_for, config),
        'schedule.drop_at': tuple(_shorten(duration, config) for duration in schedule.drop_at),
    }
    if schedule.warmup_for is not None:
        wanted['schedule.warmup_for'] = _shorten(schedule.warmup_for, config)
    return wanted


def _shorten(text: str, config: Config) -> str:
    duration = Duration.parse(text)
    examples = {'epochs': CIFAR_EXAMPLES, 'steps': config.batch_size, 'examples': 1}[duration.unit]
    return f'{float(round(duration.amount * Fraction(examples, CIFAR_EXAMPLES) * SHARE, 4)):g} epochs'
