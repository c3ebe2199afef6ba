"""BatchNorm that computes its statistics per group of examples, like the papers, which used several devices."""

from collections.abc import Callable
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.typing import Dtype
from jax import lax
from jax.nn.initializers import Initializer

from jax_resnet.jax_options import independent

Normalize = Callable[[jax.Array, jax.Array, jax.Array, float], tuple[jax.Array, jax.Array, jax.Array]]
"""A function that normalizes each group of images by the group's own statistics.

It takes the images [groups, ..., channels], scale and bias [channels], and epsilon. It returns the normalized images,
and the mean and the biased variance of each group [groups, channels].
"""


def normalize(
    x: jax.Array, scale: jax.Array, bias: jax.Array, epsilon: float
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Normalizes as BatchNorm does in training, in plain JAX operations; see `Normalize`."""
    wide, axes = to_float32(x), tuple(range(1, x.ndim - 1))
    mean = wide.mean(axes, keepdims=True)
    var = jnp.maximum(jnp.square(wide).mean(axes, keepdims=True) - jnp.square(mean), 0)
    y = _scaled(wide, mean, var, scale, bias, epsilon)
    return y, mean.reshape(len(x), -1), var.reshape(len(x), -1)


def to_float32(x: jax.Array) -> jax.Array:
    """Casts an array to float32; a wider one, such as float64, keeps its dtype."""
    return x.astype(jnp.promote_types(x.dtype, jnp.float32))


def _scaled(
    x: jax.Array, mean: jax.Array, var: jax.Array, scale: jax.Array, bias: jax.Array, epsilon: float
) -> jax.Array:
    factor = scale * lax.rsqrt(var + epsilon)
    return x * factor + (bias - mean * factor)


class BatchNorm(nn.Module):
    """Batch normalization (Ioffe and Szegedy, 2015) over groups of `group_size` examples.

    The papers trained CIFAR with batches of 128 on two devices, so each device normalized its 64 examples separately.
    This module normalizes consecutive groups of the batch separately. The number of devices does not matter.

    Attributes:
        use_running_average: use the running statistics (evaluation) instead of the batch's statistics.
        group_size: examples per group; 0 is the whole batch. A batch smaller than the group is one group.
        momentum: weight of the old running statistics at each update (Flax's convention; PyTorch's is 1 - momentum).
        epsilon: added to the variance.
        frozen: use the running statistics in training, too, and keep them.
        dtype: dtype of the output; statistics and parameters have at least float32 precision.
        scale_init: initializer of the scale.
        normalize: function that computes the batch's statistics and applies them; another one can replace it.

    Variables: params `scale`, `bias`, batch_stats `mean`, `var`, each [channels]. The running statistics are updated
    with the mean over the groups. `var` is the biased variance (PyTorch stores the unbiased one).

    Raises:
        ValueError: the batch is larger than the group, and its size is not a multiple of the group size.
    """

    use_running_average: bool
    group_size: int = 0
    momentum: float = 0.9
    epsilon: float = 1e-5
    frozen: bool = False
    dtype: Dtype | None = None
    scale_init: Initializer = nn.initializers.ones
    normalize: Normalize = normalize

    @nn.compact
    @independent
    def __call__(self, x: jax.Array) -> jax.Array:
        channels = x.shape[-1]
        running_mean = self.variable('batch_stats', 'mean', jnp.zeros, channels, jnp.float32)
        running_var = self.variable('batch_stats', 'var', jnp.ones, channels, jnp.float32)
        scale = self.param('scale', self.scale_init, (channels,), jnp.float32)
        bias = self.param('bias', nn.initializers.zeros, (channels,), jnp.float32)

        if self.use_running_average or self.frozen:
            mean, var = running_mean.value, running_var.value
            y = _scaled(to_float32(x), mean, var, scale, bias, self.epsilon)
        else:
            groups = x.reshape(count_groups(len(x), self.group_size), -1, *x.shape[1:])
            y, mean, var = self.normalize(groups, scale, bias, self.epsilon)
            if not self.is_initializing():
                for running, value in ((running_mean, mean), (running_var, var)):
                    mixed = self.momentum * running.value + (1 - self.momentum) * value.mean(0)
                    running.value = mixed.astype(running.value.dtype)
        return y.reshape(x.shape).astype(self.dtype or x.dtype)


class BatchNorms(NamedTuple):
    """A factory for a network's BatchNorm modules: `norm=BatchNorms(group_size=64)`.

    Two factories with the same values are equal, so two networks that use them are equal too. Two `functools.partial`
    objects with the same values would not be equal.
    """

    group_size: int = 0
    momentum: float = 0.9
    epsilon: float = 1e-5
    frozen: bool = False
    normalize: Normalize = normalize

    def __call__(
        self, *, use_running_average: bool, scale_init: Initializer, dtype: Dtype | None, name: str
    ) -> BatchNorm:
        """Makes one BatchNorm module."""
        return BatchNorm(use_running_average, **self._asdict(), dtype=dtype, scale_init=scale_init, name=name)


def count_groups(batch_size: int, group_size: int) -> int:
    """Number of BatchNorm groups in a batch. Raises ValueError if the groups do not divide the batch."""
    if group_size == 0 or batch_size <= group_size:
        return 1
    if batch_size % group_size:
        raise ValueError(
            f'the batch size, {batch_size}, must be a multiple of the BatchNorm group size, {group_size}; with group '
            'size 0, the whole batch is one group'
        )
    return batch_size // group_size
