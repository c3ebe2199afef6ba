"""Table 2 of He et al. 2015: do more layers help on ImageNet, with and without shortcuts?

Published are top-1 errors with ten crops: 27.94 and 28.54 % for plain nets of 18 and 34 layers, 27.88 and 25.03 % for
ResNets (shortcut A).

The argument is the depths.

    python -m jax_resnet study --study=configs/studies/table2_2015.py:18 --set=dataset.manual_dir=DIR
"""

from typing import Any

from configs.studies import base

DEPTHS = ('18', '34')


def get_study(depths: str = ','.join(DEPTHS)) -> dict[str, Any]:
    rows = [
        base.row(
            f'{title}-{depth}',
            f'{family}{depth}_imagenet.py',
            group=f'{depth} layers',
        )
        for depth in base.choose(depths, DEPTHS)
        for family, title in {'plain': 'plain', 'resnet': 'ResNet'}.items()
    ]
    return base.published_study('table2_2015', rows)
