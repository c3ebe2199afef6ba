"""Does the order of the data decide where ResNet-20 on CIFAR-10 ends, if the initial weights are the same?

The first half of an instability analysis (Frankle et al. 2020, arXiv 1912.05671): the runs of one seed begin with the
same weights, and see the data in different orders, with other random crops. Then `inspect path` measures the error on
the line between two of them. The paper publishes no error that this table could show; docs/inspections.md says what it
found. To begin with the same later step of one run, `--extend-from=RUN@STEP` is given to each run.

The argument is the data seeds.

    python -m jax_resnet study --study=configs/studies/instability.py:1,2 --seeds=0
"""

from typing import Any

from configs.studies import base


def get_study(data_seeds: str = '1,2') -> dict[str, Any]:
    rows = [
        base.row(f'data order {seed}', 'resnet20_cifar10.py', {'data_seed': int(seed)})
        for seed in data_seeds.split(',')
    ]
    return base.study(rows, 'none')
