"""ResNet-110 of one-layer units on CIFAR-10: He et al. 2016, Table 3; the argument names the order.

    python main.py --config=configs/one_layer_resnet110_cifar10.py:full_preactivation

| argument | published test error |
|---|---|
| original | 9.90 % |
| full_preactivation | 8.91 % |
"""

from ml_collections import ConfigDict

from configs import base, base_2016

ORDERS = ('original', 'full_preactivation')


def get_config(order: str = 'original') -> ConfigDict:
    base.check_known('order', order, ORDERS)
    return base_2016.recipe(110, unit='one_layer', order=order)
