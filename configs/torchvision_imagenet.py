"""torchvision's networks on ImageNet, by the recipe of its weights IMAGENET1K_V1; the argument names the network.

    python main.py --config=configs/torchvision_imagenet.py:resnet50 --config.dataset.manual_dir=DIR

| argument | published accuracy |
|---|---|
| resnet18, resnet34 | 69.76 %, 73.31 % |
| resnet50, resnet101, resnet152 | 76.13 %, 77.37 %, 78.31 % |
| wide_resnet50_2, wide_resnet101_2 | 78.47 %, 78.85 % |
| resnext50_32x4d, resnext101_32x8d | 77.62 %, 79.31 % |

The recipe is SGD for 90 epochs, with a learning rate of 0.1 that is divided by 10 at epochs 30 and 60, weight decay on
every parameter, batches of 256 on 8 GPUs, and BatchNorm over 32. ResNeXt trains for 100 epochs, with a third drop at
epoch 90. For wide networks the recipe is inferred. With this config you can also evaluate torchvision's weights, saved
as safetensors:

    python -m jax_resnet evaluate resnet50.safetensors --config=configs/torchvision_imagenet.py:resnet50 --config.dataset.manual_dir=DIR
"""  # noqa: E501

from ml_collections import ConfigDict

from configs import base_later_imagenet

BOTTLENECKS = {
    'wide_resnet50_2': (50, {'width_factor': 2}),
    'wide_resnet101_2': (101, {'width_factor': 2}),
    'resnext50_32x4d': (50, {'groups': 32, 'group_width': 4}),
    'resnext101_32x8d': (101, {'groups': 32, 'group_width': 8}),
}
NETWORKS = (*(f'resnet{depth}' for depth in (18, 34, 50, 101, 152)), *BOTTLENECKS)


def get_config(network: str = 'resnet50') -> ConfigDict:
    config = base_later_imagenet.get_config()
    depth, options = BOTTLENECKS.get(network, (None, {}))
    base_later_imagenet.set_network(config, network if depth is None else f'resnet{depth}', NETWORKS)
    config.model.update(options)
    config.optimizer.decay = 'all'
    if 'groups' in options:
        config.train_for = '100 epochs'
        config.schedule.drop_at = ('30 epochs', '60 epochs', '90 epochs')
    return config
