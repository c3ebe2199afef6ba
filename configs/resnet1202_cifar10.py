"""ResNet-1202 on CIFAR-10: He et al. 2015, Table 6, row "ResNet 1202".

Published test error 7.93 %; 19,421,274 parameters (19.4 M in the paper).

The paper says that it is "trained as described above". So it has the warm-up of ResNet-110.

    python main.py --config=configs/resnet1202_cifar10.py
"""

from ml_collections import ConfigDict

from configs import resnet110_cifar10


def get_config() -> ConfigDict:
    config = resnet110_cifar10.get_config()
    config.model.depth = 1202
    return config
