"""The shortcuts around a residual branch (He et al. 2015, section 3.3; 2016, section 3.1 and Table 1).

Each shortcut is a module. It is made with the branch's output shape (`channels`, `stride`) and the network's factory of
layers. It is called with the unit's input x and the branch's output y, and combines them; most shortcuts add them.
To add a shortcut, write a class here, a line in SHORTCUTS, and its name in `config/fields.py`.
"""

import re
from collections.abc import Callable
from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp

from jax_resnet.models.layers import LayerFactory
from jax_resnet.own_parts import choose

MakesShortcut = Callable[..., Callable[[jax.Array, jax.Array], jax.Array]]
"""A subclass of `Shortcut`, or another function of channels, stride, factory and name that returns one."""


class Shortcut(nn.Module):
    """Base class of all shortcuts."""

    channels: int
    stride: int
    factory: LayerFactory


class NoShortcut(Shortcut):
    """No shortcut: returns the branch alone, as in a plain net."""

    def __call__(self, x: jax.Array, y: jax.Array) -> jax.Array:
        return y


class PaddedIdentity(Shortcut):
    """Option A: the identity. Where shapes change, it subsamples x and adds channels of zeros. It has no parameters.

    Attributes:
        centred: put half of the zeros before the old channels and half after, as in akamaster's networks. If False,
            put all of them after.
    """

    centred: bool = False

    def identity(self, x: jax.Array) -> jax.Array:
        x = x[:, :: self.stride, :: self.stride]
        new = self.channels - x.shape[-1]
        before = new // 2 if self.centred else 0
        return jnp.pad(x, ((0, 0), (0, 0), (0, 0), (before, new - before)))

    def __call__(self, x: jax.Array, y: jax.Array) -> jax.Array:
        return y + self.identity(x)


class Projection(Shortcut):
    """Options B and C: a 1x1 convolution with the unit's stride, then BatchNorm. B is the identity if shapes agree.

    Attributes:
        window: kernel size of the convolution; only Scaled's design space has other sizes than 1.
        everywhere: project in every unit (C; the "1x1 conv shortcut" of 2016, Table 1), not only where shapes change.
        with_norm: BatchNorm follows the convolution. Full pre-activation has none here (the 2016 authors' code).
    """

    window: int = 1
    everywhere: bool = False
    with_norm: bool = True

    @nn.compact
    def __call__(self, x: jax.Array, y: jax.Array) -> jax.Array:
        if not self.everywhere and self.stride == 1 and self.channels == x.shape[-1]:
            return y + x
        x = self.factory.conv(self.channels, self.window, self.stride)(x)
        return y + (self.factory.norm()(x) if self.with_norm else x)


class ConstantScaling(PaddedIdentity):
    """Multiplies the shortcut by one constant and the branch by another (2016, section 3.1)."""

    shortcut_factor: float = 0.5
    branch_factor: float = 0.5

    def __call__(self, x: jax.Array, y: jax.Array) -> jax.Array:
        return self.branch_factor * y + self.shortcut_factor * self.identity(x)


class Gating(PaddedIdentity):
    """Multiplies the shortcut by 1 - g(x), where g(x) = sigmoid(W x + b), elementwise (2016, section 3.1).

    Attributes:
        initial_bias: initial value of b.
        exclusive: also multiply the branch by g(x) (exclusive gating). If False, the branch is not changed
            (shortcut-only gating).
    """

    initial_bias: float = 0.0
    exclusive: bool = True

    @nn.compact
    def __call__(self, x: jax.Array, y: jax.Array) -> jax.Array:
        gate = self.factory.conv(self.channels, 1, self.stride, initial_bias=self.initial_bias, name='gate')
        g = nn.sigmoid(gate(x))
        return (g * y if self.exclusive else y) + (1 - g) * self.identity(x)


class DropoutShortcut(PaddedIdentity):
    """Dropout on the shortcut (2016, section 3.1)."""

    rate: float = 0.5

    @nn.compact
    def __call__(self, x: jax.Array, y: jax.Array) -> jax.Array:
        return y + self.factory.dropout(self.rate)(self.identity(x))


PROJECTIONS: dict[str, Callable[..., Projection]] = {'B': Projection, 'C': partial(Projection, everywhere=True)}
"""By name: the options of the 2015 paper that are projections."""

SHORTCUTS: dict[str, MakesShortcut] = {
    'A': PaddedIdentity,
    'A_centred': partial(PaddedIdentity, centred=True),
    **PROJECTIONS,
    'none': NoShortcut,
    'dropout': DropoutShortcut,
}
"""By name: the 2015 paper's options, A with zeros on both sides, none (a plain net), and dropout at rate 0.5."""

SHORTCUTS_WITH_NUMBERS: dict[str, tuple[int, Callable[..., MakesShortcut]]] = {
    'scaling': (2, lambda shortcut, branch: partial(ConstantScaling, shortcut_factor=shortcut, branch_factor=branch)),
    'exclusive_gating': (1, lambda bias: partial(Gating, initial_bias=bias, exclusive=True)),
    'shortcut_only_gating': (1, lambda bias: partial(Gating, initial_bias=bias, exclusive=False)),
}
"""Shortcuts whose names carry numbers: 'scaling_0.5_0.5' (shortcut, branch), 'exclusive_gating_-6' (initial bias).

By name: how many numbers, and a function that takes them.
"""


def shortcut(name: str, *, window: int = 1, with_norm: bool = True) -> MakesShortcut:
    """Returns the factory of a shortcut: 'A', 'dropout', 'scaling_0_1', 'exclusive_gating_-6', ...

    Args:
        name: one of SHORTCUTS; one of SHORTCUTS_WITH_NUMBERS followed by its numbers; or an import path.
        window, with_norm: settings of projections; other shortcuts ignore them.

    Raises:
        ValueError: the name is unknown, or has the wrong count of numbers.
    """
    if name in PROJECTIONS:
        return partial(PROJECTIONS[name], window=window, with_norm=with_norm)
    if name in SHORTCUTS or ':' in name:
        return choose('shortcut', name, SHORTCUTS)
    match = re.fullmatch(r'([a-z_]+?)((?:_-?[0-9]+(?:\.[0-9]+)?)+)', name)
    count, make = SHORTCUTS_WITH_NUMBERS.get(match[1], (0, None)) if match else (0, None)
    numbers = [float(number) for number in match[2].split('_')[1:]] if match else []
    if make is None or len(numbers) != count:
        with_numbers = [name + '_<number>' * count for name, (count, _) in SHORTCUTS_WITH_NUMBERS.items()]
        raise ValueError(f'shortcut must be one of {", ".join([*SHORTCUTS, *with_numbers])}; got {name!r}')
    return make(*numbers)
