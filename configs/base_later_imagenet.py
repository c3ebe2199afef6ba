"""The base of the recipes for ImageNet since 2016: crops of random area and aspect ratio, and channel statistics.

In training, a random part of a picture is resized to 224 x 224 and randomly mirrored. The part has 8 to 100 % of the
picture's area, and its width is 3/4 to 4/3 of its height. Colours are not changed. In the test, the shorter side is
resized to 256, and the central crop of 224 is taken.
"""

from collections.abc import Sequence
from typing import Any

from ml_collections import ConfigDict

from configs import base, base_pictures


def get_config(**model: Any) -> ConfigDict:
    """Returns 90 epochs of batches of 256, learning rate 0.1, divided by 10 at epochs 30 and 60, decay 0.0001.

    Args:
        **model: as in `base_pictures`.
    """
    config = base_pictures.get_config(**model)
    config.train_for = '90 epochs'
    config.dataset.normalization = 'channel'
    config.dataset.channel_mean = (0.485, 0.456, 0.406)
    config.dataset.channel_std = (0.229, 0.224, 0.225)
    config.dataset.lighting = 0.0
    config.pictures.view = 'area'
    config.pictures.protocol = 'center'
    config.optimizer.momentum_of = 'gradients'
    return config


def set_network(config: ConfigDict, network: str, known: Sequence[str]) -> None:
    """Sets `config.model` to a network such as 'resnet50', with shortcut B. Bottlenecks have their stride in the 3x3.

    Raises:
        ValueError: the network is not `known`.
    """
    base.check_known('network', network, known)
    config.model.depth = int(network.removeprefix('resnet'))
    config.model.shortcut = 'B'
    if config.model.depth >= 50:
        config.model.v1_5 = True


def set_cosine(config: ConfigDict, learning_rate: float, warmup_for: str) -> None:
    """Sets `config.schedule` to a linear rise from zero, then half a cosine down to zero at the end."""
    config.schedule.name = 'cosine'
    config.schedule.learning_rate = learning_rate
    config.schedule.drop_at = ()
    config.schedule.warmup_shape = 'linear'
    config.schedule.warmup_for = warmup_for
    config.schedule.warmup_learning_rate = 0.0
