"""Identity4, a course's pre-activation network of four stages, on CIFAR-10; the argument gives the units of each stage.

    python main.py --config=configs/identity4_cifar10.py:4,5,6,3

| argument | published test error |
|---|---|
| 2,2,2,2, without augmentation | none |
| 4,5,6,3, with flips and random 28x28 crops | 8 points less |

"8 points less" means 8 percentage points lower than for 2,2,2,2; no absolute error is published.

The recipe is that of the course's template: SGD with momentum, a constant learning rate of 0.01, batches of 4, 5
epochs, and normalization with a mean and a standard deviation of 0.5. The test sees the whole 32x32 image. With
`--config.dataset.test_crop=28` it sees the centre.
"""

from ml_collections import ConfigDict

from configs import base

UNITS = ('2,2,2,2', '4,5,6,3')


def get_config(units: str = '2,2,2,2') -> ConfigDict:
    base.check_known('units', units, UNITS)
    config = base.get_config(name='identity4', stage_sizes=tuple(map(int, units.split(','))))
    config.batch_size = 4
    config.train_for = '5 epochs'
    config.dataset.normalization = 'half'
    config.dataset.pad = 0
    config.dataset.flip = units == '4,5,6,3'
    config.dataset.crop = 28 if units == '4,5,6,3' else 0
    config.optimizer.weight_decay = 0.0
    config.schedule.learning_rate = 0.01
    config.schedule.drop_at = ()
    config.batch_norm.group_size = 0
    return config
