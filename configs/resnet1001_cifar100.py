"""ResNet-1001 (original bottlenecks) on CIFAR-100: He et al. 2016, Table 3.

Published test error 27.82 %; 10,351,732 parameters.

    python main.py --config=configs/resnet1001_cifar100.py
"""

from ml_collections import ConfigDict

from configs import base_2016


def get_config() -> ConfigDict:
    return base_2016.recipe(1001, classes=100, unit='bottleneck')
