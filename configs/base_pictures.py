"""The base of the configs for pictures: the recipe of He et al. 2015 on ImageNet (section 3.4).

In training, a picture's shorter side is resized to a random length from 256 to 480 pixels. A random crop of 224 x 224
is taken and randomly mirrored, and its colours are changed as for AlexNet. There is no dropout. The test averages the
softmax over ten crops of each picture: the four corners, the centre, and their mirror images. (inferred) marks values
that the paper does not state.
"""

from typing import Any

from ml_collections import ConfigDict

from configs import base


def get_config(**model: Any) -> ConfigDict:
    """Returns 120 epochs of batches of 256, learning rate 0.1, divided by 10 at epochs 30 and 60, decay 0.0001.

    Args:
        **model: arguments of the network, with its name if it is not imagenet_resnet. The depth is 50 by default.
    """
    config = base.get_config(**{'name': 'imagenet_resnet', 'depth': 50} | model)
    config.batch_size = 256
    config.train_for = '120 epochs'
    config.log_every = '20 steps'
    config.dataset.name = 'imagenet2012'
    config.dataset.test = 'validation'
    config.dataset.check = 'none'
    config.dataset.pad = 0
    config.dataset.crop = 224
    config.dataset.lighting = 0.1
    config.pictures.view = 'scale'
    config.pictures.protocol = 'ten_crop'
    config.optimizer.momentum_of = 'steps'  # as in the authors' Caffe
    config.schedule.drop_at = ('30 epochs', '60 epochs')  # (inferred): "when the error plateaus"
    config.batch_norm.group_size = 32  # 256 on 8 GPUs
    return config
