"""ResNet-1001 (original bottlenecks) on CIFAR-10: He et al. 2016, Table 3.

Published test error 7.61 %; 10,328,602 parameters.

    python main.py --config=configs/resnet1001_cifar10.py
"""

from ml_collections import ConfigDict

from configs import base_2016


def get_config() -> ConfigDict:
    return base_2016.recipe(1001, unit='bottleneck')
