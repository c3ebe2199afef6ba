"""Figure 6 of He et al. 2015: do deeper nets train better on CIFAR-10, plain and residual?

Published are curves. The error of plain nets rises with their depth, to more than 60 % at 110 layers. The error of
ResNets falls with their depth, to the numbers of Table 6.

The argument is the kinds of nets: plain, resnet.

    python -m jax_resnet study --study=configs/studies/figure6_2015.py --seeds=0,1,2
"""

from typing import Any

from configs.published import CONFIGS
from configs.studies import base

DEPTHS = {'plain': ('20', '32', '44', '56', '110'), 'resnet': ('20', '32', '44', '56', '110')}
TITLES = {'plain': ('plain', 'Plain nets'), 'resnet': ('ResNet', 'ResNets')}


def get_study(kinds: str = 'plain,resnet') -> dict[str, Any]:
    rows = []
    for kind in base.choose(kinds, tuple(DEPTHS)):
        label, group = TITLES[kind]
        for depth in DEPTHS[kind]:
            result = CONFIGS[f'{kind}{depth}_cifar10']
            rows.append(
                base.row(
                    f'{label}-{depth}',
                    f'{kind}{depth}_cifar10.py',
                    published=result.error,
                    published_text=result.text if kind == 'plain' else '',
                    group=group,
                )
            )
    return base.published_study('figure6_2015', rows)
