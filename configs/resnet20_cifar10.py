"""ResNet-20 on CIFAR-10: He et al. 2015, Table 6, row "ResNet 20".

Published test error 8.75 %; 269,722 parameters (0.27 M in the paper).

    python main.py --config=configs/resnet20_cifar10.py
"""

from ml_collections import ConfigDict

from configs import base


def get_config() -> ConfigDict:
    return base.get_config(depth=20)
