"""ResNet: a stem, stages of units, average pooling and a head. All named networks are one of these."""

from collections.abc import Callable, Sequence
from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp

from jax_resnet.models.batch_norm import BatchNorm
from jax_resnet.models.drop_block import DropBlock
from jax_resnet.models.parts import ModuleDef, Parts

_fan_out = nn.initializers.variance_scaling(2, 'fan_out', 'normal')
_fan_in = nn.initializers.variance_scaling(2, 'fan_in', 'normal')
_head = nn.initializers.variance_scaling(1 / 3, 'fan_in', 'uniform')

INITIALIZATIONS = {'fan_out': (_fan_out, _head), 'fan_in': (_fan_in, _fan_in)}
"""By name, of the convolutions' and of the head's kernels: He's (arXiv 1502.01852), untruncated, with the head
uniform within 1/sqrt(fan_in), as in the authors' code; or He's with fan-in on both, as in the Lab."""


class Stem(nn.Module):
    """The first convolution, and what follows it before the first unit.

    Attributes:
        channels, window, stride: of the convolution.
        steps: what follows: 'norm relu', or nothing where the first unit begins with its own.
        pool: whether a 3x3 max pooling of stride 2 ends it (ImageNet).
        parts: what it is built with.
    """

    channels: int
    window: int
    stride: int
    steps: str
    pool: bool
    parts: Parts

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        pad = self.window // 2
        x = self.parts.conv(
            self.channels, (self.window,) * 2, (self.stride,) * 2, padding=((pad, pad), (pad, pad)), name='conv'
        )(x)
        x = _norm_relu(self.steps, self.parts, x)
        return nn.max_pool(x, (3, 3), (2, 2), ((1, 1), (1, 1))) if self.pool else x


class End(nn.Module):
    """From the last unit's output to the features: average pooling, global in both papers.

    Attributes:
        steps: what comes before it: nothing, or in pre-activation nets 'norm relu' or 'relu'.
        parts: what it is built with.
        pooled_size: height and width after the pooling.
        drop_block: rate of a DropBlock before the pooling; its squares are 3x3.
        dropout: rate of a dropout of the features.
    """

    steps: str
    parts: Parts
    pooled_size: int = 1
    drop_block: float = 0.0
    dropout: float = 0.0

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Features [batch, pooled_size^2 x channels], float32 at least. Raises ValueError where sizes do not divide."""
        x = _norm_relu(self.steps, self.parts, x)
        if x.dtype == jnp.bfloat16:
            # Fused into the mean, what comes before makes it NaN: XLA:CPU of jaxlib 0.11.2.
            x = jax.lax.optimization_barrier(x)
        x = self.parts.drop_block(self.drop_block)(x)
        size, (batch, height, width, channels) = self.pooled_size, x.shape
        if height % size or width % size:
            raise ValueError(f'pooled_size must divide the size of the last map, {height} x {width}; got {size}')
        x = x.reshape(batch, size, height // size, size, width // size, channels)
        x = x.mean((2, 4), dtype=jnp.promote_types(x.dtype, jnp.float32)).reshape(batch, -1)
        return self.parts.dropout(self.dropout)(x)


def _norm_relu(steps: str, parts: Parts, x: jax.Array) -> jax.Array:
    for step in steps.split():
        x = nn.relu(x) if step == 'relu' else parts.norm(name='norm')(x)
    return x


class Stage(nn.Module):
    """Units of one width. The first may change the shape; the others are identical and, stacked, run under a scan."""

    size: int
    unit: ModuleDef
    stride: int
    is_first: bool
    stacked: bool
    unroll: int
    rematerialize: bool | Callable

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        run = first = _run
        in_a_loop = self.stacked and self.size - 1 > self.unroll
        if self.rematerialize:
            policy = None if self.rematerialize is True else self.rematerialize
            first = nn.remat(_run, policy=policy, prevent_cse=policy is None)
            # A loop prevents it by itself.
            run = nn.remat(_run, policy=policy, prevent_cse=policy is None and not in_a_loop)
        x = first(self.unit(stride=self.stride, is_first=self.is_first, name='unit1'), x)
        if not self.stacked:
            for i in range(2, self.size + 1):
                x = run(self.unit(stride=1, name=f'unit{i}'), x)
        elif self.size > 1:
            rest = nn.scan(
                lambda unit, x, _: (run(unit, x), None),
                variable_axes={'params': 0, 'batch_stats': 0, 'intermediates': 0},
                split_rngs={'params': True, 'dropout': True},
                length=self.size - 1,
                unroll=1 if in_a_loop else self.size - 1,
            )
            x, _ = rest(self.unit(stride=1, name='rest'), x, None)
        return x


def _run(unit: nn.Module, x: jax.Array) -> jax.Array:
    y = unit(x)
    assert isinstance(y, jax.Array)
    return y


class ResNet(nn.Module):
    """A residual network, or a plain one where the unit has no shortcut.

    Attributes:
        stage_sizes: units in each stage.
        widths: output channels of each stage.
        units: for each stage, what makes its units from `channels`, `stride` and `parts`: a `partial` of `Unit`.
        stem: makes the stem from `parts`.
        end: makes the end, pooling included, from `parts`.
        num_classes: outputs of the head; 0 leaves it out and returns the pooled features.
        kernel_init, head_init: initializers of the convolutions and of the head's kernel.
        conv, norm: the convolution and normalization that every part is built with.
        dtype: of the computation (bfloat16, say); parameters, statistics and outputs stay float32.
        stacked: hold the identical units of a stage in one stack, `stage2/rest/...`, and run them by a
            scan, so that any depth compiles in seconds; else each has its name, `stage2/unit7/...`.
        unroll: a stack of at most so many units is written out instead: faster, where compiling it takes no longer.
        rematerialize: keep a unit's input alone for the backward pass, which computes the unit again: memory for time;
            or keep what a policy of `jax.checkpoint` says.

    Variables: {'params': ..., 'batch_stats': ...}, named `stem/conv`, `stage1/unit1/conv1`, ..., `head`.
    """

    stage_sizes: Sequence[int]
    widths: Sequence[int]
    units: Sequence[ModuleDef]
    stem: ModuleDef
    end: ModuleDef = partial(End, steps='')
    num_classes: int = 10
    kernel_init: Callable = _fan_out
    head_init: Callable = _head
    conv: ModuleDef = nn.Conv
    norm: ModuleDef = BatchNorm
    dtype: jnp.dtype | None = None
    stacked: bool = False
    unroll: int = 1
    rematerialize: bool | Callable = False

    @nn.compact
    def __call__(self, images: jax.Array, train: bool = False) -> jax.Array:
        """Logits [batch, num_classes] (or features [batch, channels]), float32, of images [batch, height, width, 3].

        With `train=True` BatchNorm uses the batch's statistics, and `apply` needs `mutable=['batch_stats']`; networks
        with dropout need `rngs={'dropout': key}` too.
        """
        parts = Parts(
            conv=partial(self.conv, use_bias=False, kernel_init=self.kernel_init, dtype=self.dtype),
            norm=partial(self.norm, use_running_average=not train, dtype=self.dtype),
            dropout=partial(nn.Dropout, deterministic=not train),
            drop_block=partial(DropBlock, deterministic=not train),
        )
        x = self.stem(parts=parts, name='stem')(images)
        stages = zip(self.stage_sizes, self.widths, self.units, strict=True)
        make = partial(Stage, stacked=self.stacked, unroll=self.unroll, rematerialize=self.rematerialize)
        for i, (size, width, unit) in enumerate(stages, start=1):
            unit = partial(unit, channels=width, parts=parts)
            x = make(size, unit, stride=1 if i == 1 else 2, is_first=i == 1, name=f'stage{i}')(x)
        x = self.end(parts=parts, name='end')(x)
        if self.num_classes:
            x = nn.Dense(self.num_classes, kernel_init=self.head_init, dtype=self.dtype, name='head')(x)
        return x.astype(jnp.promote_types(x.dtype, jnp.float32))
