"""Do half or twice the epochs change the error of ResNet-20 and ResNet-56 on CIFAR-10 and CIFAR-100?

The Report's recipe with 82, 164 and 328 epochs. The learning rate's drops move accordingly: (41, 61), (81, 122) and
(162, 244). The Report published these training / test errors on CIFAR-10: for 20 layers 0.64 / 8.45 % with 164 epochs
and 0.25 / 7.8 % with 328; for 56 layers 0.09 / 7.3 % and 0.01 / 6.1 %.

The argument is the factors of the 164 epochs, and cifar10 or cifar100 for only one data set: cifar10,1,2.

    python -m jax_resnet study --study=configs/studies/epochs.py --seeds=0,1,2
"""

from fractions import Fraction
from typing import Any

from configs import report_cifar10
from configs.published import ROWS
from configs.studies import base


def get_study(argument: str = '1/2,1,2') -> dict[str, Any]:
    datasets, factors = base.choose_data(argument)
    rows = []
    for dataset in datasets:
        for depth in (20, 56):
            for factor in factors or ('1/2', '1', '2'):
                config = report_cifar10.get_config(f'resnet{depth}')
                changes = base.lengthened(config, Fraction(factor), **base.REPORT_STUDIES)
                rows.append(
                    base.row(
                        f'ResNet-{depth}, {changes["train_for"]}',
                        f'report_{dataset}.py:resnet{depth}',
                        changes,
                        published=ROWS['epochs'].get(f'{dataset}:{depth}:{factor}'),
                        group=f'ResNet-{depth} on {base.DATASETS[dataset]}',
                    )
                )
    return base.published_study('epochs', rows)
