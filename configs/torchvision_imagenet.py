"""torchvision's networks on ImageNet, by the recipe of its weights IMAGENET1K_V1; the argument names the network.

    python main.py --config=configs/torchvision_imagenet.py:resnet50 --config.dataset.manual_dir=DIR

| argument | published accuracy |
|---|---|
| resnet18, resnet34 | 69.76 %, 73.31 % |
| resnet50, resnet101, resnet152 | 76.13 %, 77.37 %, 78.31 % |

The recipe is SGD for 90 epochs, with a learning rate of 0.1 that is divided by 10 at epochs 30 and 60, weight decay on
every parameter, batches of 256 on 8 GPUs, and BatchNorm over 32. With this config you can also evaluate torchvision's
weights, saved as safetensors:

    python -m jax_resnet evaluate resnet50.safetensors --config=configs/torchvision_imagenet.py:resnet50 --config.dataset.manual_dir=DIR
"""  # noqa: E501

from ml_collections import ConfigDict

from configs import base_later

NETWORKS = tuple(f'resnet{depth}' for depth in (18, 34, 50, 101, 152))


def get_config(network: str = 'resnet50') -> ConfigDict:
    config = base_later.get_config()
    base_later.set_network(config, network, NETWORKS)
    config.optimizer.decay = 'all'
    return config
