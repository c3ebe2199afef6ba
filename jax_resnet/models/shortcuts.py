"""The shortcuts around a residual branch (He et al. 2015, section 3.3; 2016, section 3.1 and Table 1).

Each is a module made with the branch's output shape (`channels`, `stride`) and the network's `parts`, and
called with the unit's input x and the branch's output y; it returns their sum, as it understands it.
A new shortcut is a new class here and a line in SHORTCUTS; configs know it by its name in `config/model_fields.py`.
"""

import re
from collections.abc import Callable
from functools import partial
from typing import Protocol

import flax.linen as nn
import jax
import jax.numpy as jnp

from jax_resnet.models.parts import Parts


class MakesShortcut(Protocol):
    """What a unit makes its shortcut with."""

    def __call__(
        self, channels: int, stride: int, parts: Parts, *, name: str
    ) -> Callable[[jax.Array, jax.Array], jax.Array]:
        """A shortcut, from the branch's output shape."""
        ...


class NoShortcut(nn.Module):
    """The branch alone, which makes a plain net; and what every shortcut is made with."""

    channels: int
    stride: int
    parts: Parts

    def __call__(self, x: jax.Array, y: jax.Array) -> jax.Array:
        return y


class PaddedIdentity(NoShortcut):
    """Option A: the identity; where shapes change, subsampled, with channels of zeros. No parameters.

    Attributes:
        centred: half of the zeros before the old channels and half after, as in akamaster's networks; else all after.
    """

    centred: bool = False

    def identity(self, x: jax.Array) -> jax.Array:
        x = x[:, :: self.stride, :: self.stride]
        new = self.channels - x.shape[-1]
        before = new // 2 if self.centred else 0
        return jnp.pad(x, ((0, 0), (0, 0), (0, 0), (before, new - before)))

    def __call__(self, x: jax.Array, y: jax.Array) -> jax.Array:
        return y + self.identity(x)


class Projection(NoShortcut):
    """Options B and C: a 1x1 convolution of the unit's stride, with BatchNorm; for B the identity where shapes agree.

    Attributes:
        window: of the convolution; another than 1 in Scaled's design space alone.
        everywhere: project in every unit (C; the "1x1 conv shortcut" of 2016, Table 1), not only where shapes change.
        with_norm: BatchNorm after the convolution, which full pre-activation does without (the 2016 authors' code).
    """

    window: int = 1
    everywhere: bool = False
    with_norm: bool = True

    @nn.compact
    def __call__(self, x: jax.Array, y: jax.Array) -> jax.Array:
        if not self.everywhere and self.stride == 1 and self.channels == x.shape[-1]:
            return y + x
        x = self.parts.conv(self.channels, self.window, self.stride)(x)
        return y + (self.parts.norm()(x) if self.with_norm else x)


class ConstantScaling(PaddedIdentity):
    """The shortcut times one constant, the branch times another (2016, section 3.1)."""

    shortcut_factor: float = 0.5
    branch_factor: float = 0.5

    def __call__(self, x: jax.Array, y: jax.Array) -> jax.Array:
        return self.branch_factor * y + self.shortcut_factor * self.identity(x)


class Gating(PaddedIdentity):
    """The shortcut times 1 - g(x), where g(x) = sigmoid(W x + b), elementwise (2016, section 3.1).

    Attributes:
        initial_bias: of b.
        exclusive: multiply the branch by g(x) (exclusive gating); else leave it alone (shortcut-only gating).
    """

    initial_bias: float = 0.0
    exclusive: bool = True

    @nn.compact
    def __call__(self, x: jax.Array, y: jax.Array) -> jax.Array:
        gate = self.parts.conv(self.channels, 1, self.stride, initial_bias=self.initial_bias, name='gate')
        g = nn.sigmoid(gate(x))
        return (g * y if self.exclusive else y) + (1 - g) * self.identity(x)


class DropoutShortcut(PaddedIdentity):
    """Dropout on the shortcut (2016, section 3.1)."""

    rate: float = 0.5

    @nn.compact
    def __call__(self, x: jax.Array, y: jax.Array) -> jax.Array:
        return y + self.parts.dropout(self.rate)(self.identity(x))


PROJECTIONS: dict[str, Callable[..., Projection]] = {'B': Projection, 'C': partial(Projection, everywhere=True)}
"""By name: the 2015 paper's options that are a projection."""

SHORTCUTS: dict[str, MakesShortcut] = {
    'A': PaddedIdentity,
    'A_centred': partial(PaddedIdentity, centred=True),
    **PROJECTIONS,
    'none': NoShortcut,
    'dropout': DropoutShortcut,
}
"""By name: the 2015 paper's options (and A with zeros on both sides), none (a plain net), and dropout at rate 0.5."""

SHORTCUTS_WITH_NUMBERS: dict[str, tuple[int, Callable[..., MakesShortcut]]] = {
    'scaling': (2, lambda shortcut, branch: partial(ConstantScaling, shortcut_factor=shortcut, branch_factor=branch)),
    'exclusive_gating': (1, lambda bias: partial(Gating, initial_bias=bias, exclusive=True)),
    'shortcut_only_gating': (1, lambda bias: partial(Gating, initial_bias=bias, exclusive=False)),
}
"""By name and numbers, such as 'scaling_0.5_0.5' (shortcut, branch) or 'exclusive_gating_-6' (initial gate bias)."""


def shortcut(name: str, *, window: int = 1, with_norm: bool = True) -> MakesShortcut:
    """The shortcut of that name: 'A', 'dropout', 'scaling_0_1', 'exclusive_gating_-6', ...

    Args:
        name: one of SHORTCUTS, or of SHORTCUTS_WITH_NUMBERS with its numbers.
        window, with_norm: of a projection; other shortcuts have neither.

    Raises:
        ValueError: an unknown name, or another count of numbers.
    """
    if name in PROJECTIONS:
        return partial(PROJECTIONS[name], window=window, with_norm=with_norm)
    if name in SHORTCUTS:
        return SHORTCUTS[name]
    match = re.fullmatch(r'([a-z_]+?)((?:_-?[0-9]+(?:\.[0-9]+)?)+)', name)
    count, make = SHORTCUTS_WITH_NUMBERS.get(match[1], (0, None)) if match else (0, None)
    numbers = [float(text) for text in match[2].split('_')[1:]] if match else []
    if make is None or len(numbers) != count:
        with_numbers = [name + '_<number>' * count for name, (count, _) in SHORTCUTS_WITH_NUMBERS.items()]
        raise ValueError(f'shortcut must be one of {", ".join([*SHORTCUTS, *with_numbers])}; got {name!r}')
    return make(*numbers)
