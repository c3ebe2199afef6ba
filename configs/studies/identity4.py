"""What do more units and augmentation bring to Identity4, a four-stage pre-activation net?

Identity4 with 2, 2, 2, 2 units, and with 4, 5, 6, 3 units and augmentation, by its course's template on CIFAR-10.
Published: the second is 8 points better.

    python -m jax_resnet.study --study=configs/studies/identity4.py --seeds=0,1,2
"""

from typing import Any

from configs.studies import base


def get_study() -> dict[str, Any]:
    rows = [
        base.row('2, 2, 2, 2 units', 'identity4_cifar10.py:2,2,2,2'),
        base.row('4, 5, 6, 3 units, augmented', 'identity4_cifar10.py:4,5,6,3', published_text='8 points less'),
    ]
    return base.study(rows, 'Identity4, the difference of the two')
