"""Makes the layers of a network's modules: convolutions, normalizations and dropouts."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import flax.linen as nn
import jax
from flax.typing import Dtype
from jax.nn.initializers import Initializer

from jax_resnet.models.drop_block import DropBlock

Apply = Callable[[jax.Array], jax.Array]
"""A layer, seen as a function from its input to its output."""


class MakesConvolution(Protocol):
    """The type of `ResNet.conv`: `nn.Conv`, or a class that takes the same arguments."""

    def __call__(
        self,
        features: int,
        kernel_size: tuple[int, int],
        strides: tuple[int, int],
        *,
        padding: tuple[tuple[int, int], tuple[int, int]],
        use_bias: bool,
        kernel_init: Initializer,
        bias_init: Initializer,
        dtype: Dtype | None,
        name: str,
    ) -> Apply:
        """Makes a convolution of images [batch, height, width, channels]."""
        ...


class MakesNorm(Protocol):
    """The type of `ResNet.norm`: `BatchNorm`, a `BatchNorms`, or a class that takes the same arguments."""

    def __call__(self, *, use_running_average: bool, scale_init: Initializer, dtype: Dtype | None, name: str) -> Apply:
        """Makes a normalization of each channel."""
        ...


@dataclass(frozen=True)
class LayerFactory:
    """A factory for layers. The network makes one, with dtype, initialization and mode, and passes it to all modules.

    Attributes:
        make_conv, make_norm: make a convolution and a normalization.
        kernel_init: initializer of the convolutions' kernels.
        dtype: dtype of the computation.
        train: whether the network is being trained.
    """

    make_conv: MakesConvolution
    make_norm: MakesNorm
    kernel_init: Initializer
    dtype: Dtype | None = None
    train: bool = False

    def conv(
        self, channels: int, window: int, stride: int = 1, *, initial_bias: float | None = None, name: str = 'conv'
    ) -> Apply:
        """Makes a convolution with a window x window kernel. It has a bias only if `initial_bias` is given."""
        pad = window // 2  # not 'SAME': with a stride of 2, it would pad one side only
        return self.make_conv(
            channels,
            (window, window),
            (stride, stride),
            padding=((pad, pad), (pad, pad)),
            use_bias=initial_bias is not None,
            kernel_init=self.kernel_init,
            bias_init=nn.initializers.constant(initial_bias or 0.0),
            dtype=self.dtype,
            name=name,
        )

    def norm(self, *, zero_scale: bool = False, name: str = 'norm') -> Apply:
        """Makes a normalization. Its scale is initialized with 0 if `zero_scale`, else with 1."""
        scale_init = nn.initializers.zeros if zero_scale else nn.initializers.ones
        return self.make_norm(use_running_average=not self.train, scale_init=scale_init, dtype=self.dtype, name=name)

    def dropout(self, rate: float) -> Apply:
        """Makes a dropout of single activations. It acts in training only."""
        return nn.Dropout(rate, deterministic=not self.train)

    def drop_block(self, rate: float) -> Apply:
        """Makes a dropout of 3x3 squares. It acts in training only."""
        return DropBlock(rate, deterministic=not self.train)
