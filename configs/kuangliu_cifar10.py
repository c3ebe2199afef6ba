"""The four-stage ResNets of kuangliu/pytorch-cifar on CIFAR-10, which many courses use; the argument names the network.

    python main.py --config=configs/kuangliu_cifar10.py:resnet18

| argument | published test error |
|---|---|
| resnet18 | 6.98 % (accuracy 93.02 %) |
| resnet50 | 6.38 % (accuracy 93.62 %) |
| resnet101 | 6.25 % (accuracy 93.75 %) |
| resnet18_cosine | none |

They are ImageNet's networks with shortcut B and a 3x3 stem without stride and pooling. The recipe is that of the
project's README: 350 epochs, a learning rate of 0.1, divided by 10 at epochs 150 and 250, batches of 128, and a weight
decay of 0.0005 on all parameters. `resnet18_cosine` has the schedule of its code today: 200 epochs and half a cosine.
PyTorch's default initialization of convolutions is replaced by ours.
"""

from ml_collections import ConfigDict

from configs import base

NETWORKS = ('resnet18', 'resnet50', 'resnet101', 'resnet18_cosine')


def get_config(network: str = 'resnet18') -> ConfigDict:
    base.check_known('network', network, NETWORKS)
    depth = int(network.removesuffix('_cosine').removeprefix('resnet'))
    config = base.get_config(
        name='imagenet_resnet', depth=depth, num_classes=10, shortcut='B', cifar_stem=True, v1_5=depth >= 50
    )
    config.train_for = '350 epochs'
    config.dataset.normalization = 'channel'
    config.dataset.channel_mean = (0.4914, 0.4822, 0.4465)
    config.dataset.channel_std = (0.2023, 0.1994, 0.2010)
    config.dataset.pad_with = 'black'
    config.optimizer.weight_decay = 5e-4
    config.optimizer.decay = 'all'
    config.schedule.drop_at = ('150 epochs', '250 epochs')
    if network.endswith('_cosine'):
        config.train_for = '200 epochs'
        config.schedule.name = 'cosine'
        config.schedule.drop_at = ()
    config.batch_norm.group_size = 0
    return config
