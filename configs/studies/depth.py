"""What does depth do, with shortcuts and without, on CIFAR-10 and CIFAR-100?

ResNets and plain nets of 20, 56 and 110 layers by the Report's recipe, 350 epochs. The Report published the
ResNets' mean errors over epochs 90 to 350: 8.39, 7.05 and 6.50 % on CIFAR-10, 33.06, 29.88 and 28.49 % on
CIFAR-100. Of plain nets He et al. 2015 (Figure 6) published that the error rises with depth.

The argument is the depths. 20, 56 and 110 are compared with the Report.

    python -m jax_resnet.study --study=configs/studies/depth.py --seeds=0,1,2
"""

from typing import Any

from configs.studies import base

PUBLISHED = {
    'cifar10': {'20': 8.39, '56': 7.05, '110': 6.50},
    'cifar100': {'20': 33.06, '56': 29.88, '110': 28.49},
}
TITLES = {'cifar10': 'CIFAR-10', 'cifar100': 'CIFAR-100'}


def get_study(depths: str = '20,56,110') -> dict[str, Any]:
    rows = []
    for dataset, published in PUBLISHED.items():
        for kind, title in {'resnet': 'ResNet', 'plain': 'plain'}.items():
            for depth in depths.split(','):
                # A depth that the Report does not have is its 20-layer net made deeper or shallower.
                known = depth in published
                rows.append(
                    base.row(
                        f'{title}-{depth}',
                        f'report_{dataset}.py:{kind}{depth if known else 20}',
                        {} if known else {'model.depth': int(depth)},
                        published=published.get(depth) if kind == 'resnet' else None,
                        group=f'{"ResNets" if kind == "resnet" else "Plain nets"} on {TITLES[dataset]}',
                        window=(90, 350),
                    )
                )
    return base.study(rows, 'the Report, mean over epochs 90 to 350', 'window')
