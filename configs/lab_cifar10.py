"""The Lab's networks on CIFAR-10, by its recipe; the argument names the network.

    python main.py --config=configs/lab_cifar10.py:resnet56

| argument | published accuracy |
|---|---|
| resnet20, resnet56, resnet110 | 92.37 %, 93.53 %, 93.95 % |
| plain20, plain56, plain110 | none |
| preact_resnet20, preact_resnet56, preact_resnet110 (the bonus) | none |

- SGD for 164 epochs. The learning rate is 0.1, divided by 10 at epochs 81 and 122. Every parameter has weight decay.
- Images are normalized with channel mean and standard deviation, and padded with black.
- Initialization is Kaiming normal by fan-in.
- The Lab uses one GPU, so BatchNorm's statistics are over the whole batch.
- An epoch of the Lab has 391 batches, and the last has 80 images. Here a batch may contain images of two epochs.
"""

from ml_collections import ConfigDict

from configs import base

FAMILIES = ('resnet', 'plain', 'preact_resnet')
NETWORKS = tuple(f'{family}{depth}' for family in FAMILIES for depth in (20, 56, 110))


def get_config(network: str = 'resnet20') -> ConfigDict:
    config = base.get_config()
    base.set_network(config, network, NETWORKS)
    config.model.initialization = 'fan_in'
    config.train_for = '164 epochs'
    config.schedule.drop_at = ('81 epochs', '122 epochs')
    config.optimizer.decay = 'all'
    config.dataset.normalization = 'channel'
    config.dataset.pad_with = 'black'
    config.batch_norm.group_size = 0
    return config
