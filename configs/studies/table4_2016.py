"""Table 4 of He et al. 2016: what is the error of the pre-activation ResNet-164 and ResNet-1001?

Published are medians of five runs, with their mean and standard deviation in brackets. On CIFAR-10: ResNet-164 5.46 %,
ResNet-1001 4.92 % (4.89 ± 0.14), and 4.62 % (4.69 ± 0.20) with batches of 64. On CIFAR-100: ResNet-164 24.33 %,
ResNet-1001 22.71 % (22.68 ± 0.22).

The argument is the data sets.

    python -m jax_resnet study --study=configs/studies/table4_2016.py:cifar10 --seeds=0,1,2,3,4
"""

from typing import Any

from configs.studies import base

ROWS = {
    'cifar10': (
        ('pre-activation ResNet-164', 'order_resnet164_cifar10.py:full_preactivation'),
        ('pre-activation ResNet-1001', 'preact_resnet1001_cifar10.py'),
        ('pre-activation ResNet-1001, batch 64', 'preact_resnet1001_batch64_cifar10.py'),
    ),
    'cifar100': (
        ('pre-activation ResNet-164', 'preact_resnet164_cifar100.py'),
        ('pre-activation ResNet-1001', 'preact_resnet1001_cifar100.py'),
    ),
}


def get_study(datasets: str = ','.join(ROWS)) -> dict[str, Any]:
    rows = [
        base.row(label, config, group=f'CIFAR-{dataset.removeprefix("cifar")}')
        for dataset in base.choose(datasets, tuple(ROWS))
        for label, config in ROWS[dataset]
    ]
    return base.published_study('table4_2016', rows)
