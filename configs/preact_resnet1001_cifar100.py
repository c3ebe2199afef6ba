"""Pre-activation ResNet-1001 (bottlenecks) on CIFAR-100: He et al. 2016, Tables 3 and 4.

Published test error 22.71 % (22.68 ± 0.22); 10,350,836 parameters.

    python main.py --config=configs/preact_resnet1001_cifar100.py
"""

from ml_collections import ConfigDict

from configs import base_2016


def get_config() -> ConfigDict:
    return base_2016.recipe(1001, classes=100, unit='bottleneck', order=base_2016.PREACTIVATION)
