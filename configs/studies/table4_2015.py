"""Table 4 of He et al. 2015: what is the error of one network on ImageNet, tested on whole pictures at five scales?

Published are top-1 errors: ResNet-34 with shortcut B 21.84, with C 21.53 %; ResNet-50 20.74, ResNet-101 19.87,
ResNet-152 19.38 %. The networks are trained as in Table 3; only the last test differs.
With runs of Table 3, `evaluate RUN --protocol=multi_scale` tests them without another training.

The argument is the networks.

    python -m jax_resnet study --study=configs/studies/table4_2015.py:50 --set=dataset.manual_dir=DIR
"""

from typing import Any

from configs.published import ROWS
from configs.studies import base

NETWORKS = {'34b': 'ResNet-34 B', '34c': 'ResNet-34 C', '50': 'ResNet-50', '101': 'ResNet-101', '152': 'ResNet-152'}


def get_study(networks: str = ','.join(NETWORKS)) -> dict[str, Any]:
    rows = [
        base.row(
            NETWORKS[name],
            f'resnet{name}_imagenet.py',
            {'pictures.protocol': 'multi_scale'},
            ROWS['table4_2015'][name],
        )
        for name in base.choose(networks, tuple(NETWORKS))
    ]
    return base.published_study('table4_2015', rows)
