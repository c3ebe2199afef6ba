"""How do less training data, and smaller or larger batches, change the error?

ResNet-56 by the Report's recipe, on all, half and a fifth of the training data, and ResNet-20 with batches of 64, 128
and 256. All runs see the same number of training examples: 164 epochs of all the data. The Report published 7.1 % for
all and 9 % for half of CIFAR-10, and 30 % for all and 51 % for a fifth of CIFAR-100. It also published that batches of
64, 128 and 256 give nearly the same error (with curves for CIFAR-100).

The argument is the parts of the study, data and batch, and cifar10 or cifar100 for only one data set: cifar10,data.

    python -m jax_resnet study --study=configs/studies/data_and_batch.py --seeds=0,1,2
"""

from fractions import Fraction
from typing import Any

from configs import report_cifar10
from configs.published import ROWS
from configs.studies import base

SHARES = {'all': Fraction(1), 'half': Fraction(1, 2), 'a fifth': Fraction(1, 5)}


def get_study(argument: str = 'data,batch') -> dict[str, Any]:
    datasets, parts = base.choose_data(argument)
    rows = []
    for part in base.choose(','.join(parts) or 'data,batch', ('data', 'batch')):
        for dataset in datasets:
            rows += _data(dataset) if part == 'data' else _batch(dataset)
    return base.published_study('data_and_batch', rows)


def _data(dataset: str) -> list[dict[str, Any]]:
    rows = []
    for name, share in SHARES.items():
        config = report_cifar10.get_config('resnet56')
        changes = base.lengthened(config, 1 / share, **base.REPORT_STUDIES)
        changes['evaluate_every'] = base.times(config.evaluate_every, 1 / share)
        if share < 1:
            changes['dataset.train'] = f'train[:{100 * share}%]'
        group = f'Part of the data, ResNet-56 on {base.DATASETS[dataset]}'
        published = ROWS['data_and_batch'].get(f'{dataset}:{name}')
        rows.append(base.row(f'{name} of the data', f'report_{dataset}.py:resnet56', changes, published, group=group))
    return rows


def _batch(dataset: str) -> list[dict[str, Any]]:
    group = f'Batch size, ResNet-20 on {base.DATASETS[dataset]}'
    return [
        base.row(
            f'batch {size}', f'report_{dataset}.py:resnet20', base.REPORT_STUDIES | {'batch_size': size}, group=group
        )
        for size in (64, 128, 256)
    ]  # the number of epochs is the same, so that the number of examples is, too
