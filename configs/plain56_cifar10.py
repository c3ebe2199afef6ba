"""plain-56 on CIFAR-10: He et al. 2015, Figure 6 (left).

Published as a curve, without a number; 853,018 parameters, as many as ResNet-56.

    python main.py --config=configs/plain56_cifar10.py
"""

from ml_collections import ConfigDict

from configs import base


def get_config() -> ConfigDict:
    return base.get_config(name='cifar_plain', depth=56)
