"""Pre-activation ResNet-1001 (bottlenecks) on CIFAR-10: He et al. 2016, Tables 3 and 4.

Published test error 4.92 % (4.89 ± 0.14); 10,327,706 parameters.

    python main.py --config=configs/preact_resnet1001_cifar10.py
"""

from ml_collections import ConfigDict

from configs import base_2016


def get_config() -> ConfigDict:
    return base_2016.recipe(1001, unit='bottleneck', order=base_2016.PREACTIVATION)
