"""Residual networks as Flax (Linen) modules.

    from jax_resnet import models
    net = models.cifar_resnet(20)
    variables = net.init(jax.random.key(0), images)
    logits = net.apply(variables, images)
    logits, updates = net.apply(variables, images, train=True, mutable=['batch_stats'])

`units` and `shortcuts` hold the blocks.
"""

from jax_resnet.models.batch_norm import BatchNorm, BatchNorms
from jax_resnet.models.layers import DropBlock
from jax_resnet.models.networks import (
    cifar_plain,
    cifar_resnet,
    cifar_wide_resnet,
    from_config,
    identity4,
    imagenet_plain,
    imagenet_resnet,
    scaled_resnet,
)
from jax_resnet.models.pytorch import from_pytorch, to_pytorch
from jax_resnet.models.resnet import Pooling, ResNet, Stage, Stem, features
from jax_resnet.models.units import LAYERS, ORDERS, Layer, Unit
from jax_resnet.models.variables import count_multiply_adds, count_parameters, describe, stack, unstack, with_channels

__all__ = [
    'LAYERS',
    'ORDERS',
    'BatchNorm',
    'BatchNorms',
    'DropBlock',
    'Layer',
    'Pooling',
    'ResNet',
    'Stage',
    'Stem',
    'Unit',
    'cifar_plain',
    'cifar_resnet',
    'cifar_wide_resnet',
    'count_multiply_adds',
    'count_parameters',
    'describe',
    'features',
    'from_config',
    'from_pytorch',
    'identity4',
    'imagenet_plain',
    'imagenet_resnet',
    'scaled_resnet',
    'stack',
    'to_pytorch',
    'unstack',
    'with_channels',
]
