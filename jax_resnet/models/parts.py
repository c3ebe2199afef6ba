"""What the modules of a network are built with: its convolution, its normalization, its dropouts."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import flax.linen as nn
import jax
from flax.typing import Dtype
from jax.nn.initializers import Initializer

from jax_resnet.models.drop_block import DropBlock

Apply = Callable[[jax.Array], jax.Array]
"""A module as it is used: its output, of its input."""


class MakesConvolution(Protocol):
    """What `ResNet.conv` is: `nn.Conv`, or a class that takes the same arguments."""

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
        """A convolution of images [batch, height, width, channels]."""
        ...


class MakesNorm(Protocol):
    """What `ResNet.norm` is: `BatchNorm`, a `BatchNorms`, or a class that takes the same arguments."""

    def __call__(self, *, use_running_average: bool, scale_init: Initializer, dtype: Dtype | None, name: str) -> Apply:
        """A normalization of each channel."""
        ...


@dataclass(frozen=True)
class Parts:
    """Made once by the network and handed down, so that dtype, initialization and the mode are said once.

    Attributes:
        make_conv, make_norm: the network's convolution and normalization.
        kernel_init: initializer of the convolutions' kernels.
        dtype: of the computation.
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
        """A convolution of window x window; without a bias, unless its initial value is given."""
        pad = window // 2  # not 'SAME', which would pad a stride of 2 on one side only
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
        """A normalization, whose scale begins with 1, or with 0."""
        scale_init = nn.initializers.zeros if zero_scale else nn.initializers.ones
        return self.make_norm(use_running_average=not self.train, scale_init=scale_init, dtype=self.dtype, name=name)

    def dropout(self, rate: float) -> Apply:
        """A dropout of single numbers, in training."""
        return nn.Dropout(rate, deterministic=not self.train)

    def drop_block(self, rate: float) -> Apply:
        """A dropout of squares of 3x3, in training."""
        return DropBlock(rate, deterministic=not self.train)
