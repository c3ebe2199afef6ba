"""ResNet-164 (original bottlenecks) on CIFAR-100: He et al. 2016, Table 3.

Published test error 25.16 %; 1,727,284 parameters.

    python main.py --config=configs/resnet164_cifar100.py
"""

from ml_collections import ConfigDict

from configs import base_2016


def get_config() -> ConfigDict:
    return base_2016.recipe(164, classes=100, unit='bottleneck')
