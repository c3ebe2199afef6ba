"""The shortcuts around a residual branch: what is added to its output (He et al. 2015, section 3.3).

Each is a module made with the branch's output shape (`channels`, `stride`) and the network's `conv`
and `norm`, and called with the unit's input. A new shortcut is a new class here and a line in SHORTCUTS.
"""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

ModuleDef = Callable[..., Any]


class PaddedIdentity(nn.Module):
    """Option A: the identity; where shapes change, subsampled, with zeros after the old channels. No parameters."""

    channels: int
    stride: int
    conv: ModuleDef
    norm: ModuleDef

    def __call__(self, x: jax.Array) -> jax.Array:
        x = x[:, :: self.stride, :: self.stride]
        return jnp.pad(x, ((0, 0), (0, 0), (0, 0), (0, self.channels - x.shape[-1])))


class Projection(nn.Module):
    """Option B: the identity where shapes agree, else a 1x1 convolution of the unit's stride, with BatchNorm."""

    channels: int
    stride: int
    conv: ModuleDef
    norm: ModuleDef

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        if self.stride == 1 and self.channels == x.shape[-1]:
            return x
        x = self.conv(self.channels, (1, 1), (self.stride, self.stride), padding=((0, 0), (0, 0)), name='conv')(x)
        return self.norm(name='norm')(x)


SHORTCUTS: dict[str, ModuleDef | None] = {'A': PaddedIdentity, 'B': Projection, 'none': None}
"""By the papers' letters; 'none' leaves the shortcut out, which makes a plain net."""
