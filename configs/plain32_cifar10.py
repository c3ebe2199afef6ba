"""plain-32 on CIFAR-10: He et al. 2015, Figure 6 (left).

Published as a curve, without a number; 464,154 parameters, as many as ResNet-32.

    python main.py --config=configs/plain32_cifar10.py
"""

from ml_collections import ConfigDict

from configs import base


def get_config() -> ConfigDict:
    return base.get_config(name='cifar_plain', depth=32)
