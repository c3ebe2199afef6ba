"""Is pre-activation better than post-activation, and what is the error of plain nets of the same depth?

ResNets, pre-activation ResNets and plain nets of 20, 56 and 110 layers on CIFAR-10 by the Lab's recipe. The Lab
published the ResNets' accuracies: 92.37, 93.53 and 93.95 %. It also asks for the curves of the training loss.

The argument is the depths.

    python -m jax_resnet study --study=configs/studies/preactivation.py --seeds=0,1,2
"""

from typing import Any

from configs.studies import base

DEPTHS = ('20', '56', '110')
FAMILIES = {'resnet': 'ResNet', 'preact_resnet': 'pre-activation ResNet', 'plain': 'plain'}


def get_study(depths: str = '20,56,110') -> dict[str, Any]:
    rows = [
        base.row(
            f'{title}-{depth}',
            f'lab_cifar10.py:{family}{depth}',
            group=f'{depth} layers',
        )
        for depth in base.choose(depths, DEPTHS)
        for family, title in FAMILIES.items()
    ]
    return base.published_study('preactivation', rows)
