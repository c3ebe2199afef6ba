"""Figure 6 of He et al. 2015: do deeper nets train better on CIFAR-10, plain and residual?

Published are curves. The error of plain nets rises with their depth, to more than 60 % at 110 layers. The error of
ResNets falls with their depth, to the numbers of Table 6.

The argument is the kinds of nets (plain, resnet) and the numbers of layers; all if it names none. In an afternoon,
without a GPU, a 32nd of the steps shows that the plain net of 56 layers trains worse than that of 20 layers. That the
ResNet of 56 layers is the better one needs more steps.

    python -m jax_resnet study --study=configs/studies/figure6_2015.py --seeds=0,1,2
    python -m jax_resnet study --study=configs/studies/figure6_2015.py:20,56 --seeds=0,1 --shorten=32
"""

from typing import Any

from configs.published import CONFIGS
from configs.studies import base

DEPTHS = ('20', '32', '44', '56', '110')
TITLES = {'plain': ('plain', 'Plain nets'), 'resnet': ('ResNet', 'ResNets')}


def get_study(argument: str = 'plain,resnet') -> dict[str, Any]:
    names = base.choose(argument, (*TITLES, *DEPTHS))
    rows = []
    for family in [family for family in TITLES if family in names] or TITLES:
        label, group = TITLES[family]
        for depth in [depth for depth in DEPTHS if depth in names] or DEPTHS:
            result = CONFIGS[f'{family}{depth}_cifar10']
            rows.append(
                base.row(
                    f'{label}-{depth}',
                    f'{family}{depth}_cifar10.py',
                    published=result.error,
                    published_text=result.text if family == 'plain' else '',
                    group=group,
                )
            )
    return base.published_study('figure6_2015', rows)
