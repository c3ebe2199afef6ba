"""Table 2 of He et al. 2016: in which order should BatchNorm, ReLU and addition come?

Published are medians of five runs on CIFAR-10, for ResNet-110 and ResNet-164: original 6.61 and 5.93 %, BatchNorm after
addition 8.17 and 6.50 %, ReLU before addition 7.84 and 6.14 %, ReLU-only pre-activation 6.71 and 5.91 %, full
pre-activation 6.37 and 5.46 %.

The argument is the depths.

    python -m jax_resnet study --study=configs/studies/table2_2016.py --seeds=0,1,2,3,4
"""

from typing import Any

from configs.studies import base

TITLES = {
    'original': 'original',
    'bn_after_addition': 'BN after addition',
    'relu_before_addition': 'ReLU before addition',
    'relu_only_preactivation': 'ReLU-only pre-activation',
    'full_preactivation': 'full pre-activation',
}
DEPTHS = ('110', '164')


def get_study(depths: str = ','.join(DEPTHS)) -> dict[str, Any]:
    rows = [
        base.row(
            f'{title}, {depth}',
            f'order_resnet{depth}_cifar10.py:{order}',
            group=f'ResNet-{depth}',
        )
        for depth in base.choose(depths, DEPTHS)
        for order, title in TITLES.items()
    ]
    return base.published_study('table2_2016', rows)
