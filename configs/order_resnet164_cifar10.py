"""ResNet-164 with other orders of BatchNorm, ReLU and addition on CIFAR-10: He et al. 2016, Table 2.

    python main.py --config=configs/order_resnet164_cifar10.py:bn_after_addition

| argument | published test error | parameters |
|---|---|---|
| original | 5.93 % | 1,704,154 |
| bn_after_addition | 6.50 % | 1,704,154 |
| relu_before_addition | 6.14 % | 1,704,154 |
| relu_only_preactivation | 5.91 % | 1,704,154 |
| full_preactivation | 5.46 % | 1,703,258 |
"""

from ml_collections import ConfigDict

from configs import base, base_2016

ORDERS = base_2016.ORDERS


def get_config(order: str = 'original') -> ConfigDict:
    base.check_known('order', order, ORDERS)
    return base_2016.recipe(164, order=order, unit='bottleneck')
