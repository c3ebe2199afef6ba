"""Table 5 of He et al. 2016: is full pre-activation better than the original unit on ImageNet, and at which depth?

Published are top-1 errors on one crop of 320, original and pre-activation: ResNet-152 21.3 and 21.1 %, ResNet-200 21.8
and 20.7 %. With scale and aspect ratio augmentation, the pre-activation ResNet-200 has 20.1 %.

The argument is the networks, with the names of `configs/table5_imagenet.py`.

    python -m jax_resnet study --study=configs/studies/table5_2016.py:resnet152 --set=dataset.manual_dir=DIR
"""

from typing import Any

from configs.studies import base

NETWORKS = {
    'resnet152': 'ResNet-152',
    'preact_resnet152': 'ResNet-152, pre-activation',
    'resnet200': 'ResNet-200',
    'preact_resnet200': 'ResNet-200, pre-activation',
    'preact_resnet200_aspect': 'ResNet-200, pre-activation, scale and aspect ratio',
}


def get_study(networks: str = ','.join(NETWORKS)) -> dict[str, Any]:
    rows = [base.row(NETWORKS[name], f'table5_imagenet.py:{name}') for name in base.choose(networks, tuple(NETWORKS))]
    return base.published_study('table5_2016', rows)
