"""How large should the base learning rate be, for ResNet-20 on CIFAR-10 and CIFAR-100?

The Report's recipe, 164 epochs, with its learning rate of 0.1 times 10, 5, 2, 1, 1/2, 1/5 and 1/10. The Report
published mean errors over epochs 90 to 160. From the largest rate to the smallest, without 0.1, for which it has no
number, they are 17.64, 9.31, 8.20, 8.96, 9.40, 10.98 % on CIFAR-10, and 36.44, 33.62, 32.91, 33.94, 35.59, 36.61 % on
CIFAR-100.

The argument is the factors, and cifar10 or cifar100 for only one data set: cifar10,1,1/10.

    python -m jax_resnet study --study=configs/studies/learning_rate.py --seeds=0,1,2
"""

from fractions import Fraction
from typing import Any

from configs.published import ROWS
from configs.studies import base

FACTORS = ('10', '5', '2', '1', '1/2', '1/5', '1/10')


def get_study(argument: str = ','.join(FACTORS)) -> dict[str, Any]:
    datasets, factors = base.choose_data(argument)
    rows = []
    for dataset in datasets:
        for factor in factors or FACTORS:
            rate = float(Fraction(factor) / 10)
            rows.append(
                base.row(
                    f'learning rate {rate:g}',
                    f'report_{dataset}.py:resnet20',
                    base.REPORT_STUDIES | {'schedule.learning_rate': rate},
                    published=ROWS['learning_rate'].get(f'{dataset}:{factor}'),
                    group=base.DATASETS[dataset],
                )
            )
    return base.published_study('learning_rate', rows)
