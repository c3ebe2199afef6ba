"""ResNet-56 with its units moved between the stages, on CIFAR-10: an assignment's question; the argument counts them.

    python main.py --config=configs/stages_resnet56_cifar10.py:5,9,13

| argument | published test error |
|---|---|
| 9,9,9 (the paper's) | none |
| 5,9,13 | none |
| 13,9,5 | none |
| 7,13,7 | none |

Any three counts with a total of 27 are allowed. The recipe is that of the Report's studies, with 164 epochs.
"""

from ml_collections import ConfigDict

from configs import base, report_cifar10

STAGES = ('9,9,9', '5,9,13', '13,9,5', '7,13,7')
"""The counts that the study compares."""


def get_config(stages: str = '9,9,9') -> ConfigDict:
    counts = stages.split(',')
    if len(counts) != 3 or not all(count.isdecimal() for count in counts):
        base.check_known('counts of units', stages, STAGES)
    config = report_cifar10.get_config('resnet56')
    config.train_for = '164 epochs'
    config.model.stage_sizes = tuple(map(int, counts))
    return config
