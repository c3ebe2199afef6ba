"""Table 1 of He et al. 2016: is the identity the best shortcut of ResNet-110 on CIFAR-10?

Published, medians of five runs ("fail": above 20 %): original 6.61 %; constant scaling 0 and 0.5 of the shortcut
fail, 0.5 of both 12.35 %; exclusive gating fails for initial biases of the gate from 0 to -5, 8.70 % at -6, 9.81 % at
-7; shortcut-only gating 12.86 % at 0, 6.91 % at -6; 1x1 convolutions 12.22 %; dropout of the shortcut fails.

The argument is the shortcuts, as `configs/shortcut_resnet110_cifar10.py` names them.

    python -m jax_resnet.study --study=configs/studies/table1_2016.py:original,conv,dropout --seeds=0,1,2,3,4
"""

from typing import Any

from configs.studies import base

PUBLISHED = {
    'original': 6.61,
    'scaling_0_1': None,
    'scaling_0.5_1': None,
    'scaling_0.5_0.5': 12.35,
    **{f'exclusive_gating_{bias}': None for bias in range(0, -6, -1)},
    'exclusive_gating_-6': 8.70,
    'exclusive_gating_-7': 9.81,
    'shortcut_only_gating_0': 12.86,
    'shortcut_only_gating_-6': 6.91,
    'conv': 12.22,
    'dropout': None,
}
GROUPS = {'scaling': 'Constant scaling', 'exclusive': 'Exclusive gating', 'shortcut': 'Shortcut-only gating'}
TITLES = {'original': 'identity', 'conv': '1x1 convolution', 'dropout': 'dropout'}


def get_study(shortcuts: str = ','.join(PUBLISHED)) -> dict[str, Any]:
    rows = [
        base.row(
            _title(name),
            f'shortcut_resnet110_cifar10.py:{name}',
            published=PUBLISHED[name],
            published_text='fail (> 20)' if PUBLISHED[name] is None else '',
        )
        for name in base.choose(shortcuts, tuple(PUBLISHED))
    ]
    return base.study(rows, 'He et al. 2016, Table 1, medians of 5 runs', 'median')


def _title(name: str) -> str:
    kind, _, rest = name.partition('_')
    if kind in GROUPS:
        numbers = [part for part in rest.split('_') if part[-1].isdigit()]
        return f'{GROUPS[kind].lower()} {", ".join(numbers)}'
    return TITLES[name]
