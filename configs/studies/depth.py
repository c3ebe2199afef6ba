"""What does depth do to the error, with and without shortcuts, on CIFAR-10 and CIFAR-100?

ResNets and plain nets of 20, 56 and 110 layers by the Report's recipe, 350 epochs. The Report published the ResNets'
mean errors over epochs 90 to 350: 8.39, 7.05 and 6.50 % on CIFAR-10, and 33.06, 29.88 and 28.49 % on CIFAR-100. He et
al. 2015 (Figure 6) published that the error of plain nets rises with depth.

The argument is the depths, and cifar10 or cifar100 for only one data set: cifar10,20,56. For other depths than 20, 56
and 110, the depth of the 20-layer net is changed.

    python -m jax_resnet study --study=configs/studies/depth.py --seeds=0,1,2
"""

from typing import Any

from configs.studies import base

DEPTHS = ('20', '56', '110')


def get_study(argument: str = '20,56,110') -> dict[str, Any]:
    datasets, depths = base.choose_data(argument)
    rows = []
    for dataset in datasets:
        for family, title in {'resnet': 'ResNet', 'plain': 'plain'}.items():
            for depth in depths or DEPTHS:
                known = depth in DEPTHS
                config = f'report_{dataset}.py:{family}{depth if known else 20}'
                rows.append(
                    base.row(
                        f'{title}-{depth}',
                        config,
                        {} if known else {'model.depth': int(depth)},
                        group=base.DATASETS[dataset],
                    )
                )
    return base.published_study('depth', rows)
