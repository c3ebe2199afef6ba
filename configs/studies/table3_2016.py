"""Table 3 of He et al. 2016: is full pre-activation better than the original unit, at every depth?

Published are errors of the original and of the pre-activation network. On CIFAR-10: ResNet-110 of one-layer units 9.90
and 8.91 %, ResNet-110 6.61 and 6.37 %, ResNet-164 5.93 and 5.46 %, ResNet-1001 7.61 and 4.92 %. On CIFAR-100:
ResNet-164 25.16 and 24.33 %, ResNet-1001 27.82 and 22.71 %.

The argument is the networks.

    python -m jax_resnet study --study=configs/studies/table3_2016.py:110,164 --seeds=0,1,2,3,4
"""

from typing import Any

from configs.published import CONFIGS
from configs.studies import base

NETWORKS = {
    '110_one_layer': ('ResNet-110 of one-layer units', 'CIFAR-10'),
    '110': ('ResNet-110', 'CIFAR-10'),
    '164': ('ResNet-164', 'CIFAR-10'),
    '1001': ('ResNet-1001', 'CIFAR-10'),
    '164_cifar100': ('ResNet-164', 'CIFAR-100'),
    '1001_cifar100': ('ResNet-1001', 'CIFAR-100'),
}


def get_study(networks: str = ','.join(NETWORKS)) -> dict[str, Any]:
    rows = []
    for name in base.choose(networks, tuple(NETWORKS)):
        title, data = NETWORKS[name]
        for order, words in {'original': 'original', 'full_preactivation': 'pre-activation'}.items():
            config = _config(name, order)
            error = CONFIGS[config.replace('.py', '')].error
            rows.append(base.row(f'{title}, {words}', config, published=error, group=f'{title} on {data}'))
    return base.published_study('table3_2016', rows)


def _config(name: str, order: str) -> str:
    depth, _, rest = name.partition('_')
    if rest == 'one_layer':
        return f'one_layer_resnet110_cifar10.py:{order}'
    if name in ('110', '164'):  # the runs of Table 2
        return f'order_resnet{depth}_cifar10.py:{order}'
    return f'{"" if order == "original" else "preact_"}resnet{depth}_{rest or "cifar10"}.py'
