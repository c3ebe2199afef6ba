"""plain-110 on CIFAR-10: He et al. 2015, Figure 6 (left).

Published as "the error of plain-110 is higher than 60% and not displayed" (the caption); 1,727,962
parameters, as many as ResNet-110.

    python main.py --config=configs/plain110_cifar10.py
"""

from ml_collections import ConfigDict

from configs import base


def get_config() -> ConfigDict:
    return base.get_config(name='cifar_plain', depth=110)
