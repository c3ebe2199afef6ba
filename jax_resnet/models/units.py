"""Residual units: the blocks that stages are stacks of.

Each is a module made with its output `channels` and `stride`, the network's `conv` and `norm`, and a
shortcut (or None: a plain unit). A new unit is a new class here.
"""

import flax.linen as nn
import jax

from jax_resnet.models.shortcuts import ModuleDef


class BasicUnit(nn.Module):
    """Two 3x3 convolutions and a shortcut (He et al. 2015, Figure 2): conv-BN-ReLU-conv-BN-add-ReLU."""

    channels: int
    stride: int
    conv: ModuleDef
    norm: ModuleDef
    shortcut: ModuleDef | None

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        pad = ((1, 1), (1, 1))  # not 'SAME', which would pad a stride of 2 on one side only
        y = self.conv(self.channels, (3, 3), (self.stride, self.stride), padding=pad, name='conv1')(x)
        y = nn.relu(self.norm(name='norm1')(y))
        y = self.conv(self.channels, (3, 3), padding=pad, name='conv2')(y)
        y = self.norm(name='norm2')(y)
        if self.shortcut is not None:
            y += self.shortcut(self.channels, self.stride, self.conv, self.norm, name='shortcut')(x)
        return nn.relu(y)
