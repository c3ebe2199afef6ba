"""Residual networks as Flax (Linen) modules.

    from jax_resnet import models
    net = models.cifar_resnet(20)
    variables = net.init(jax.random.key(0), images)
    logits = net.apply(variables, images)
    logits, updates = net.apply(variables, images, train=True, mutable=['batch_stats'])

`units` and `shortcuts` hold the blocks.
"""

from jax_resnet.models.assignments import identity4, scaled_resnet
from jax_resnet.models.batch_norm import BatchNorm, BatchNorms
from jax_resnet.models.by_name import from_config
from jax_resnet.models.counts import count_multiply_adds, count_parameters, describe
from jax_resnet.models.drop_block import DropBlock
from jax_resnet.models.end import End
from jax_resnet.models.papers import cifar_plain, cifar_resnet, imagenet_plain, imagenet_resnet
from jax_resnet.models.pytorch import from_pytorch, to_pytorch
from jax_resnet.models.resnet import ResNet, Stage
from jax_resnet.models.stacking import stack, unstack
from jax_resnet.models.stem import Stem
from jax_resnet.models.units import LAYERS, ORDERS, Layer, Unit

__all__ = [
    'LAYERS',
    'ORDERS',
    'BatchNorm',
    'BatchNorms',
    'DropBlock',
    'End',
    'Layer',
    'ResNet',
    'Stage',
    'Stem',
    'Unit',
    'cifar_plain',
    'cifar_resnet',
    'count_multiply_adds',
    'count_parameters',
    'describe',
    'from_config',
    'from_pytorch',
    'identity4',
    'imagenet_plain',
    'imagenet_resnet',
    'scaled_resnet',
    'stack',
    'to_pytorch',
    'unstack',
]
