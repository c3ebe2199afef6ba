"""ResNet-56 on CIFAR-10: He et al. 2015, Table 6, row "ResNet 56".

Published test error 6.97 %; 853,018 parameters (0.85 M in the paper).

    python main.py --config=configs/resnet56_cifar10.py
"""

from ml_collections import ConfigDict

from configs import base


def get_config() -> ConfigDict:
    return base.get_config(depth=56)
