"""Table 6 of He et al. 2015: what is the error of ResNets of 20 to 1202 layers on CIFAR-10?

Published are 8.75, 7.51, 7.17 and 6.97 % for 20 to 56 layers, and 7.93 % for 1202 layers. For 110 layers the mean of
five runs is 6.61 ± 0.16 %; the table has the best run, 6.43 %.

The argument is the depths.

    python -m jax_resnet study --study=configs/studies/table6_2015.py:20,32,44,56,110 --seeds=0,1,2,3,4
"""

from typing import Any

from configs.studies import base

DEPTHS = ('20', '32', '44', '56', '110', '1202')


def get_study(depths: str = ','.join(DEPTHS)) -> dict[str, Any]:
    rows = [base.row(f'ResNet-{depth}', f'resnet{depth}_cifar10.py') for depth in base.choose(depths, DEPTHS)]
    return base.published_study('table6_2015', rows)
