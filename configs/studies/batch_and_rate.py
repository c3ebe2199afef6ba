"""How large may a batch be on ImageNet, if the learning rate grows with it?

ResNet-50 by the recipe of Goyal et al. 2017, with batches of 256 to 8,192. Published are means of five runs, each the
median of its last five epochs: 23.60 ± 0.12 % for 256, 23.74 ± 0.09 % for 8,192, and 24.84 ± 0.37 % for 8,192 without
warm-up. They are compared with the mean of our last five epochs.

The argument is the batches, with the names of `configs/goyal_imagenet.py`.

    python -m jax_resnet study --study=configs/studies/batch_and_rate.py:256,8192 --set=dataset.manual_dir=DIR
"""

from typing import Any

from configs.goyal_imagenet import BATCHES
from configs.studies import base


def get_study(batches: str = ','.join(BATCHES)) -> dict[str, Any]:
    rows = [
        base.row(
            f'batch {batch.replace("_no_", ", no ").replace("warmup", "warm-up")}',
            f'goyal_imagenet.py:{batch}',
        )
        for batch in base.choose(batches, BATCHES)
    ]
    return base.published_study('batch_and_rate', rows)
