"""How much do more units and augmentation improve Identity4, a four-stage pre-activation net?

Identity4 with 2, 2, 2, 2 units, and with 4, 5, 6, 3 units and augmentation, by its course's template on CIFAR-10. The
published result is that the second is 8 points better.

    python -m jax_resnet study --study=configs/studies/identity4.py --seeds=0,1,2
"""

from typing import Any

from configs.studies import base


def get_study() -> dict[str, Any]:
    rows = [
        base.row(label, f'identity4_cifar10.py:{units}')
        for label, units in {'2, 2, 2, 2 units': '2,2,2,2', '4, 5, 6, 3 units, augmented': '4,5,6,3'}.items()
    ]
    return base.published_study('identity4', rows)
