"""ResNet-164 with other orders of BatchNorm, ReLU and addition on CIFAR-10: He et al. 2016, Table 2.

    python main.py --config=configs/order_resnet164_cifar10.py:bn_after_addition

| argument | published test error |
|---|---|
| original | 5.93 % |
| bn_after_addition | 6.50 % |
| relu_before_addition | 6.14 % |
| relu_only_preactivation | 5.91 % |
| full_preactivation | 5.46 % |
"""

from ml_collections import ConfigDict

from configs import base, base_2016


def get_config(order: str = 'original') -> ConfigDict:
    base.check_known('order', order, base_2016.ORDERS)
    return base_2016.recipe(164, order=order, unit='bottleneck')
