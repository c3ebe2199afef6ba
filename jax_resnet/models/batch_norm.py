"""BatchNorm whose statistics are taken over groups of examples, as on the papers' several devices."""

from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.typing import Dtype
from jax import lax
from jax.nn.initializers import Initializer


class BatchNorm(nn.Module):
    """Batch normalization (Ioffe and Szegedy, 2015) over groups of `group_size` examples.

    The papers trained CIFAR with batches of 128 on two devices, so each half of 64 was normalized by
    itself. Here consecutive groups of the batch are, whatever the number of devices.

    Attributes:
        use_running_average: normalize by the running statistics (evaluation), not by the batch's.
        group_size: examples per group; 0 is the whole batch. A batch smaller than the group is one group.
        momentum: what the running statistics keep at each step (Flax's convention; PyTorch's is 1 - momentum).
        epsilon: added to the variance.
        scale_init: initializer of the scale.
        dtype: of the output; statistics and parameters are float32 at least.

    Variables: params `scale`, `bias`, batch_stats `mean`, `var`, each [channels]. The running
    statistics follow the mean over groups; `var` is the biased variance (PyTorch stores the unbiased one).

    Raises:
        ValueError: the batch is larger than the group and not a multiple of it.
    """

    use_running_average: bool
    group_size: int = 0
    momentum: float = 0.9
    epsilon: float = 1e-5
    dtype: Dtype | None = None
    scale_init: Initializer = nn.initializers.ones

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        channels = x.shape[-1]
        running_mean = self.variable('batch_stats', 'mean', jnp.zeros, channels)
        running_var = self.variable('batch_stats', 'var', jnp.ones, channels)
        scale = self.param('scale', self.scale_init, channels)
        bias = self.param('bias', nn.initializers.zeros, channels)

        wide = x.astype(jnp.promote_types(x.dtype, jnp.float32))
        if self.use_running_average:
            mean, var = running_mean.value, running_var.value
        else:
            wide = wide.reshape(count_groups(len(x), self.group_size), -1, *x.shape[1:])
            over = tuple(range(1, wide.ndim - 1))
            mean = wide.mean(over, keepdims=True)
            var = jnp.maximum(jnp.square(wide).mean(over, keepdims=True) - jnp.square(mean), 0)
            if not self.is_initializing():
                for running, value in ((running_mean, mean), (running_var, var)):
                    value = value.reshape(-1, channels).mean(0)
                    running.value = self.momentum * running.value + (1 - self.momentum) * value

        factor = scale * lax.rsqrt(var + self.epsilon)
        y = wide * factor + (bias - mean * factor)
        return y.reshape(x.shape).astype(self.dtype or x.dtype)


class BatchNorms(NamedTuple):
    """Makes a network's BatchNorms: `norm=BatchNorms(group_size=64)`.

    Two with the same numbers are equal, and with them their networks; a `partial` equals itself alone.
    """

    group_size: int = 0
    momentum: float = 0.9
    epsilon: float = 1e-5

    def __call__(
        self, *, use_running_average: bool, scale_init: Initializer, dtype: Dtype | None, name: str
    ) -> BatchNorm:
        """One of them."""
        return BatchNorm(use_running_average, *self, dtype=dtype, scale_init=scale_init, name=name)


def count_groups(batch_size: int, group_size: int) -> int:
    """Number of BatchNorm groups in a batch. Raises ValueError where they do not come out even."""
    if group_size == 0 or batch_size <= group_size:
        return 1
    if batch_size % group_size:
        raise ValueError(
            f'BatchNorm groups of {group_size} (group_size) do not divide the batch of {batch_size}: '
            'give a divisor of the batch, or 0 for one group'
        )
    return batch_size // group_size
