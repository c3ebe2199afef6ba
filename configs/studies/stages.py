"""Does it matter in which stage the units are, when their number stays the same?

ResNet-56 has 27 units, 9 in each of its three stages. It is compared with networks that divide the 27 units in other
ways, by the Report's recipe of 164 epochs on CIFAR-10. There are no published numbers.

The argument is the numbers of units in the stages.

    python -m jax_resnet study --study=configs/studies/stages.py --seeds=0,1,2
"""

from typing import Any

from configs.studies import base


def get_study(shares: str = '9-9-9,5-9-13,13-9-5,7-13-7') -> dict[str, Any]:
    rows = [
        base.row(f'{share} units', f'stages_resnet56_cifar10.py:{share.replace("-", ",")}')
        for share in shares.split(',')
    ]
    return base.published_study('stages', rows)
