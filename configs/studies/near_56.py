"""Does one unit more or less in each stage change the error: 50 and 62 layers against 56?

ResNets of 6n+2 layers, n = 8, 9 and 10, by the Report's recipe of 164 epochs on CIFAR-10. The Report published a final
error of 7.3 % for 56 layers.

The argument is the depths.

    python -m jax_resnet study --study=configs/studies/near_56.py --seeds=0,1,2
"""

from typing import Any

from configs.published import ROWS
from configs.studies import base

DEPTHS = ('50', '56', '62')


def get_study(depths: str = ','.join(DEPTHS)) -> dict[str, Any]:
    rows = [
        base.row(
            f'ResNet-{depth}',
            f'report_cifar10.py:resnet{depth}',
            base.REPORT_STUDIES,
            published=ROWS['near_56'].get(depth),
        )
        for depth in base.choose(depths, DEPTHS)
    ]
    return base.published_study('near_56', rows)
