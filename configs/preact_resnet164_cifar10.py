"""Pre-activation ResNet-164 (bottlenecks) on CIFAR-10: He et al. 2016, Tables 2 and 3.

Published test error 5.46 %; 1,703,258 parameters.

    python main.py --config=configs/preact_resnet164_cifar10.py
"""

from ml_collections import ConfigDict

from configs import base_2016


def get_config() -> ConfigDict:
    return base_2016.recipe(164, unit='bottleneck', order=base_2016.PREACTIVATION)
