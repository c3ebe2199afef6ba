"""fb.resnet.torch's networks on ImageNet, by its recipe (github.com/facebookarchive/fb.resnet.torch).

    python main.py --config=configs/fb_imagenet.py:resnet50 --config.dataset.manual_dir=DIR

| argument | published test error, one crop (ten crops) |
|---|---|
| resnet18 | 30.43 % (28.22) |
| resnet34 | 26.73 % (24.76) |
| resnet50 | 24.01 % (22.24) |
| resnet101 | 22.44 % (21.08) |
| resnet152 | 22.16 % (20.69) |
| resnet200, full pre-activation | 21.66 % (20.15) |

- SGD with Nesterov's momentum for 90 epochs. The learning rate is 0.1, divided by 10 at epochs 30 and 60. Every
  parameter has weight decay.
- Brightness, contrast and saturation change by up to 0.4, and AlexNet's lighting by 0.1. Pictures are resized
  bicubically. Ten crops sum logits, not softmax.
- BatchNorm's statistics are over one GPU's share of the batch. By its TRAINING.md, networks of up to 50 layers train on
  4 GPUs, deeper ones on 8.
- The published ResNet-50 has its last BatchNorm after the addition (`--config.model.order=bn_after_addition`). Its code
  does not, and this config follows the code. Its pre-activation networks have a BatchNorm on projections; ours do not.
"""

from ml_collections import ConfigDict

from configs import base_later_imagenet

NETWORKS = tuple(f'resnet{depth}' for depth in (18, 34, 50, 101, 152, 200))


def get_config(network: str = 'resnet50') -> ConfigDict:
    config = base_later_imagenet.get_config()
    base_later_imagenet.set_network(config, network, NETWORKS)
    if network == 'resnet200':
        config.model.order = 'full_preactivation'
    config.dataset.color_jitter = 0.4
    config.dataset.lighting = 0.1
    config.pictures.interpolation = 'bicubic'
    config.pictures.protocol = 'ten_crop'
    config.pictures.average = 'logits'
    config.optimizer.nesterov = True
    config.optimizer.decay = 'all'
    config.batch_norm.group_size = 64 if config.model.depth <= 50 else 32
    return config
