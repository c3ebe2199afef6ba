"""Pre-activation ResNet-110 on CIFAR-10: He et al. 2016, Tables 2 and 3.

Published test error 6.37 %; 1,727,962 parameters.

    python main.py --config=configs/preact_resnet110_cifar10.py
"""

from ml_collections import ConfigDict

from configs import base_2016


def get_config() -> ConfigDict:
    return base_2016.recipe(110, order=base_2016.PREACTIVATION)
