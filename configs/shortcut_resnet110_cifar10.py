"""ResNet-110 with other shortcuts on CIFAR-10: He et al. 2016, Table 1; the argument names the shortcut.

    python main.py --config=configs/shortcut_resnet110_cifar10.py:exclusive_gating_-6

| argument | published test error ("fail": above 20 %) |
|---|---|
| original | 6.61 % |
| scaling_0_1, scaling_0.5_1 (shortcut's factor, branch's) | fail |
| scaling_0.5_0.5 | 12.35 % |
| exclusive_gating_0 to exclusive_gating_-5 (initial gate bias) | fail |
| exclusive_gating_-6, exclusive_gating_-7 | 8.70 %, 9.81 % |
| shortcut_only_gating_0, shortcut_only_gating_-6 | 12.86 %, 6.91 % |
| conv (1x1, with BatchNorm) | 12.22 % |
| dropout (rate 0.5) | fail |
"""

from ml_collections import ConfigDict

from configs import base, base_2016

SHORTCUTS = {
    'original': 'A',
    'conv': 'C',
    **{
        name: name
        for name in (
            'scaling_0_1', 'scaling_0.5_1', 'scaling_0.5_0.5',
            *(f'exclusive_gating_{bias}' for bias in range(0, -8, -1)),
            'shortcut_only_gating_0', 'shortcut_only_gating_-6', 'dropout',
        )
    },
}  # fmt: skip


def get_config(shortcut: str = 'original') -> ConfigDict:
    base.check_known('shortcut', shortcut, SHORTCUTS)
    return base_2016.recipe(110, shortcut=SHORTCUTS[shortcut])
