"""plain-20 on CIFAR-10: He et al. 2015, Figure 6 (left).

Published as a curve, without a number; 269,722 parameters, as many as ResNet-20.

    python main.py --config=configs/plain20_cifar10.py
"""

from ml_collections import ConfigDict

from configs import base


def get_config() -> ConfigDict:
    return base.get_config(name='cifar_plain', depth=20)
