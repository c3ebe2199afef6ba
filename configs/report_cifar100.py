"""The Report's networks on CIFAR-100, by its recipe (see `report_cifar10.py`); the argument names the network.

    python main.py --config=configs/report_cifar100.py:resnet20

| argument | published test error, mean (least to greatest) over epochs 90 to 350 |
|---|---|
| resnet20 | 33.06 % (32.53 to 33.88) |
| resnet56 | 29.88 % (29.28 to 30.41) |
| resnet110 | 28.49 % (28.31 to 29.04) |
| resnet50, resnet62 | none |
| plain20, plain56, plain110 | none |
"""

from ml_collections import ConfigDict

from configs import report_cifar10


def get_config(network: str = 'resnet20') -> ConfigDict:
    config = report_cifar10.get_config(network)
    config.dataset.name = 'cifar100'
    config.model.num_classes = 100
    return config
