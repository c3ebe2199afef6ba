"""Table 1 of He et al. 2016: is the identity the best shortcut of ResNet-110 on CIFAR-10?

Published are medians of five runs; "fail" is an error above 20 %. The original has 6.61 %. Constant scaling of the
shortcut by 0 and 0.5 fails; scaling of shortcut and branch by 0.5 has 12.35 %. Exclusive gating fails with an initial
bias of the gate from 0 to -5; it has 8.70 % with -6 and 9.81 % with -7. Shortcut-only gating has 12.86 % with 0 and
6.91 % with -6. 1x1 convolutions have 12.22 %. Dropout of the shortcut fails.

The argument is the shortcuts, with the names of `configs/shortcut_resnet110_cifar10.py`.

    python -m jax_resnet study --study=configs/studies/table1_2016.py:original,conv,dropout --seeds=0,1,2,3,4
"""

from typing import Any

from configs.published import CONFIGS
from configs.studies import base

FAMILY, ORIGINAL = 'shortcut_resnet110_cifar10', 'order_resnet110_cifar10'  # the original has the runs of Table 2
SHORTCUTS = tuple(name.partition(':')[2] for name in CONFIGS if name.startswith(f'{FAMILY}:'))
GROUPS = {'scaling': 'Constant scaling', 'exclusive': 'Exclusive gating', 'shortcut': 'Shortcut-only gating'}
TITLES = {'original': 'identity', 'conv': '1x1 convolution', 'dropout': 'dropout'}


def get_study(shortcuts: str = ','.join(SHORTCUTS)) -> dict[str, Any]:
    rows = [
        base.row(_title(name), f'{ORIGINAL if name == "original" else FAMILY}.py:{name}')
        for name in base.choose(shortcuts, SHORTCUTS)
    ]
    return base.published_study('table1_2016', rows)


def _title(name: str) -> str:
    first, _, rest = name.partition('_')
    if first in GROUPS:
        numbers = [part for part in rest.split('_') if part[-1].isdigit()]
        return f'{GROUPS[first].lower()} {", ".join(numbers)}'
    return TITLES[name]
