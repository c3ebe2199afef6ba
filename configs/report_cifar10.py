"""The Report's networks on CIFAR-10, by its recipe; the argument names the network.

    python main.py --config=configs/report_cifar10.py:resnet20

| argument | published test error, mean (least to greatest) over epochs 90 to 350 |
|---|---|
| resnet20 | 8.39 % (8.22 to 8.77) |
| resnet56 | 7.05 % (6.90 to 7.47) |
| resnet110 | 6.50 % (6.36 to 6.91) |
| resnet50, resnet62 (an assignment's question) | none |
| plain20, plain56, plain110 | none |

The recipe is SGD for 350 epochs. The learning rate is 0.1, divided by 10 at epochs 81 and 122. The Report uses one GPU,
so BatchNorm's statistics are over the whole batch. Input and initialization are taken from He et al. 2015, because the
Report does not describe them.
"""

from ml_collections import ConfigDict

from configs import base

NETWORKS = ('resnet20', 'resnet50', 'resnet56', 'resnet62', 'resnet110', 'plain20', 'plain56', 'plain110')


def get_config(network: str = 'resnet20') -> ConfigDict:
    config = base.get_config()
    base.set_network(config, network, NETWORKS)
    config.train_for = '350 epochs'
    config.schedule.drop_at = ('81 epochs', '122 epochs')
    config.batch_norm.group_size = 0
    return config
