"""Pre-activation ResNet-20 on CIFAR-10: He et al. 2016, the recipe of section 5.

No published number at this depth; 269,722 parameters.

    python main.py --config=configs/preact_resnet20_cifar10.py
"""

from ml_collections import ConfigDict

from configs import base_2016


def get_config() -> ConfigDict:
    return base_2016.recipe(20, order=base_2016.PREACTIVATION)
