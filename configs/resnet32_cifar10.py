"""ResNet-32 on CIFAR-10: He et al. 2015, Table 6, row "ResNet 32".

Published test error 7.51 %; 464,154 parameters (0.46 M in the paper).

    python main.py --config=configs/resnet32_cifar10.py
"""

from ml_collections import ConfigDict

from configs import base


def get_config() -> ConfigDict:
    return base.get_config(depth=32)
