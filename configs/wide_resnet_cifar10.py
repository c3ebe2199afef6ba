"""Wide ResNets on CIFAR-10 (Zagoruyko and Komodakis 2016, arXiv 1605.07146); the argument is depth and width factor.

    python main.py --config=configs/wide_resnet_cifar10.py:28-10

| argument | published test error |
|---|---|
| 40-4 | 4.53 % |
| 16-8 | 4.27 % |
| 28-10 | 4.00 % |
| 28-10_dropout | 3.89 % |

The errors are medians of five runs. The recipe is that of the authors' code:

- 200 epochs of batches of 128, with Nesterov's momentum. The learning rate is 0.1, and is multiplied by 0.2 at epochs
  60, 120 and 160. Every parameter has a weight decay of 0.0005.
- Images are normalized by the channels' mean and standard deviation, and padded by reflection. The rate of dropout
  is 0.3.
- The authors' code sets the momentum to zero at each drop of the learning rate, and leaves out the last 80 images of
  each epoch. Ours does neither.
"""

from ml_collections import ConfigDict

from configs import base

NETWORKS = ('40-4', '16-8', '28-10', '28-10_dropout')


def get_config(network: str = '28-10') -> ConfigDict:
    base.check_known('network', network, NETWORKS)
    depth, width_factor = network.removesuffix('_dropout').split('-')
    dropout = 0.3 if network.endswith('_dropout') else 0.0
    config = base.get_config(
        name='cifar_wide_resnet', depth=int(depth), width_factor=int(width_factor), dropout=dropout
    )
    config.train_for = '200 epochs'
    config.dataset.normalization = 'channel'
    config.dataset.pad_with = 'reflection'
    config.optimizer.nesterov = True
    config.optimizer.weight_decay = 5e-4
    config.optimizer.decay = 'all'
    config.schedule.drop_at = ('60 epochs', '120 epochs', '160 epochs')
    config.schedule.factor = 0.2
    config.batch_norm.group_size = 0
    return config
