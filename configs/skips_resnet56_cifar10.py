"""ResNet-56 with a skip after each 1, 2 or 3 convolutions, or none, on CIFAR-10: an assignment's question.

    python main.py --config=configs/skips_resnet56_cifar10.py:3

| argument | published test error |
|---|---|
| none (plain-56) | none |
| 1, 2 (the paper's), 3 | none |

All networks have the same number of convolutions. The recipe is that of the Report's studies, with 164 epochs.
"""

from ml_collections import ConfigDict

from configs import base, report_cifar10

UNITS = {'1': 'one_layer', '2': 'basic', '3': 'three_layer'}
SKIPS = ('none', *UNITS)


def get_config(skips: str = '2') -> ConfigDict:
    base.check_known('number of convolutions', skips, SKIPS)
    config = report_cifar10.get_config('plain56' if skips == 'none' else 'resnet56')
    config.train_for = '164 epochs'
    if skips != 'none':
        config.model.unit = UNITS[skips]
    return config
