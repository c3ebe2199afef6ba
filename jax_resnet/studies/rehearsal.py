"""A rehearsal of a run: the same recipe on the digits, shortened."""

from typing import Any

from jax_resnet.config.durations import Duration
from jax_resnet.config.fields import Config
from jax_resnet.data import datasets
from jax_resnet.errors import ConfigError

SHORTEN = {'epochs': 20, 'steps': 640, 'examples': 640}
"""How many times a recipe is shortened, by the unit of its length. An epoch of CIFAR is 33 times one of the digits."""


def changes(config: Config) -> dict[str, Any]:
    """Returns the fields to change, by dotted name: the data set becomes the digits, and the recipe is shortened.

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
    return {
        'dataset.name': 'digits',
        'dataset.normalization': 'pixel_mean',
        'dataset.pad_with': 'zero',
        'dataset.pad': 1,
        'dataset.crop': 0,
        'dataset.test_crop': 0,
        'dataset.flip': False,
        'shorten': SHORTEN[Duration.parse(config.train_for).unit],
    }
