"""ResNet-110 on CIFAR-10: He et al. 2015, Table 6, row "ResNet 110".

Published test error 6.43 % (the best of 5 runs; 6.61 ± 0.16); 1,727,962 parameters (1.7 M in the paper).

The learning rate is 0.01 for the first 400 steps. This is inferred from "until the training error is below 80 % (about
400 iterations)".

    python main.py --config=configs/resnet110_cifar10.py
"""

from ml_collections import ConfigDict

from configs import base


def get_config() -> ConfigDict:
    config = base.get_config(depth=110)
    config.schedule.warmup_for = '400 steps'
    config.schedule.warmup_learning_rate = 0.01
    return config
