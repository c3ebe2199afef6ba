"""How does the error change without shortcuts, or with a shortcut over 1 or 3 convolutions instead of 2?

ResNet-56 on CIFAR-10 by the Report's recipe of 164 epochs. The number of convolutions stays the same. There are no
published numbers.

The argument is the number of convolutions of each shortcut.

    python -m jax_resnet study --study=configs/studies/skips.py --seeds=0,1,2
"""

from typing import Any

from configs.studies import base

LABELS = {
    'none': 'no shortcuts',
    '1': 'a shortcut each convolution',
    '2': 'a shortcut each 2 convolutions',
    '3': 'a shortcut each 3 convolutions',
}


def get_study(spans: str = ','.join(LABELS)) -> dict[str, Any]:
    names = base.choose(spans, tuple(LABELS))
    rows = [base.row(LABELS[name], f'skips_resnet56_cifar10.py:{name}') for name in names]
    return base.published_study('skips', rows)
