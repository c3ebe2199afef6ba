"""Pre-activation ResNet-164 (bottlenecks) on CIFAR-100: He et al. 2016, Table 3.

Published test error 24.33 %; 1,726,388 parameters.

    python main.py --config=configs/preact_resnet164_cifar100.py
"""

from ml_collections import ConfigDict

from configs import base_2016


def get_config() -> ConfigDict:
    return base_2016.recipe(164, classes=100, unit='bottleneck', order=base_2016.PREACTIVATION)
