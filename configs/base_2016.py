"""The recipe of He et al. 2016 on CIFAR (section 5 and the appendix): that of 2015 with a warm-up.

One config is an exception: `preact_resnet1001_batch64_cifar10` follows the authors' code, and has no warm-up.
"""

from typing import Any

from ml_collections import ConfigDict

from configs import base

PREACTIVATION = 'full_preactivation'

ORDERS = ('original', 'bn_after_addition', 'relu_before_addition', 'relu_only_preactivation', PREACTIVATION)
"""The rows of Table 2."""


def recipe(depth: int, classes: int = 10, **model: Any) -> ConfigDict:
    """Returns a config: 64,000 steps with batches of 128, the first 400 at learning rate 0.01.

    Args:
        depth: depth of the network.
        classes: 10 for CIFAR-10, 100 for CIFAR-100.
        **model: further arguments of `models.cifar_resnet`: unit, order, shortcut.
    """
    config = base.get_config(depth=depth, num_classes=classes, **model)
    config.schedule.warmup_for = '400 steps'
    config.schedule.warmup_learning_rate = 0.01
    config.dataset.name = f'cifar{classes}'
    return config
