"""ResNet-44 on CIFAR-10: He et al. 2015, Table 6, row "ResNet 44".

Published test error 7.17 %; 658,586 parameters (0.66 M in the paper).

    python main.py --config=configs/resnet44_cifar10.py
"""

from ml_collections import ConfigDict

from configs import base


def get_config() -> ConfigDict:
    return base.get_config(depth=44)
