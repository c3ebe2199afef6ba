"""ResNet-110 with other orders of BatchNorm, ReLU and addition on CIFAR-10: He et al. 2016, Table 2.

    python main.py --config=configs/order_resnet110_cifar10.py:bn_after_addition

| argument | published test error |
|---|---|
| original | 6.61 % |
| bn_after_addition | 8.17 % |
| relu_before_addition | 7.84 % |
| relu_only_preactivation | 6.71 % |
| full_preactivation | 6.37 % |
"""

from ml_collections import ConfigDict

from configs import base, base_2016


def get_config(order: str = 'original') -> ConfigDict:
    base.check_known('order', order, base_2016.ORDERS)
    return base_2016.recipe(110, order=order)
