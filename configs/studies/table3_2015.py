"""Table 3 of He et al. 2015: how do the shortcut and the depth change the error on ImageNet?

Published are top-1 errors with ten crops: ResNet-34 with shortcut A 25.03, with B 24.52, with C 24.19 %; ResNet-50
22.85, ResNet-101 21.75, ResNet-152 21.43 %.

The argument is the networks.

    python -m jax_resnet study --study=configs/studies/table3_2015.py:34a,34b,34c --set=dataset.manual_dir=DIR
"""

from typing import Any

from configs.studies import base

NETWORKS = {
    '34a': ('ResNet-34 A', 'resnet34_imagenet'),
    '34b': ('ResNet-34 B', 'resnet34b_imagenet'),
    '34c': ('ResNet-34 C', 'resnet34c_imagenet'),
    '50': ('ResNet-50', 'resnet50_imagenet'),
    '101': ('ResNet-101', 'resnet101_imagenet'),
    '152': ('ResNet-152', 'resnet152_imagenet'),
}


def get_study(networks: str = ','.join(NETWORKS)) -> dict[str, Any]:
    chosen = [NETWORKS[name] for name in base.choose(networks, tuple(NETWORKS))]
    rows = [base.row(title, f'{config}.py') for title, config in chosen]
    return base.published_study('table3_2015', rows)
