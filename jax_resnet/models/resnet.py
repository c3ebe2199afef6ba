"""ResNet: a stem, stages of units, a pooling and a head. All named networks are instances of this class.

Its attributes are names and numbers, so that a network can be hashed, compared and pickled. Calling the network turns
the names into modules.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import flax.linen as nn
import jax
from flax.typing import Dtype
from jax.nn.initializers import Initializer

from jax_resnet.jax_options import independent
from jax_resnet.models.batch_norm import BatchNorm, to_float32
from jax_resnet.models.layers import LayerFactory, MakesLayer, average_pool, max_pool
from jax_resnet.models.shortcuts import PROJECTIONS, shortcut
from jax_resnet.models.units import ORDERS, Layer, Unit
from jax_resnet.own_parts import choose

_fan_out = nn.initializers.variance_scaling(2, 'fan_out', 'normal')
_fan_in = nn.initializers.variance_scaling(2, 'fan_in', 'normal')
_head = nn.initializers.variance_scaling(1 / 3, 'fan_in', 'uniform')
_small_head = nn.initializers.normal(0.01)
_lecun = nn.initializers.lecun_normal()

INITIALIZATIONS: dict[str, tuple[Initializer, Initializer]] = {
    'fan_out': (_fan_out, _head),
    'fan_out_small_head': (_fan_out, _small_head),
    'fan_in': (_fan_in, _fan_in),
    'lecun': (_lecun, _lecun),
}
"""By name, the initializers of the convolutions' kernels and of the head's kernel.

'fan_out': He's (arXiv 1502.01852), not truncated; the head is uniform within 1/sqrt(fan_in), as in the authors' code.
'fan_out_small_head': the same, but the head is N(0, 0.01) (Goyal et al. 2017, section 5.1). 'fan_in': He's with fan-in
for both, as in the Lab. 'lecun': LeCun's, truncated, for both, as in Flax's example.
"""

MAX_LAYERS = 10_000
"""Maximum number of layers. Without it, a typing error in the depth could make a run wait for ever."""


class Stem(NamedTuple):
    """Settings of a network's stem. The defaults are for CIFAR.

    Attributes:
        channels, window, stride: output channels, kernel size and stride of the convolution.
        pool: whether the stem ends with 3x3 max pooling of stride 2 (ImageNet).
    """

    channels: int
    window: int = 3
    stride: int = 1
    pool: bool = False


class StemLayers(nn.Module):
    """The layers of a stem: `conv`, `norm`.

    Attributes:
        stem: its settings.
        activates: whether BatchNorm and ReLU follow the convolution.
        factory: makes its layers.
    """

    stem: Stem
    activates: bool
    factory: LayerFactory

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x = self.factory.conv(self.stem.channels, self.stem.window, self.stem.stride)(x)
        if self.activates:
            x = nn.relu(self.factory.norm()(x))
        return max_pool(x) if self.stem.pool else x


class Stage(nn.Module):
    """Units of one width. The first may change the shape. The others are identical; if stacked, a scan runs them.

    `make_unit` makes a `Unit` with a stride, `is_first` and a name; `ResNet` has the other attributes.
    """

    size: int
    make_unit: Callable[..., Unit]
    stride: int
    is_first: bool
    stacked: bool
    unroll: int
    rematerialize: bool | Callable[..., Any]

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        run = first = _run
        in_a_loop = self.stacked and self.size - 1 > self.unroll
        if self.rematerialize is True:
            first = nn.remat(_run)
            run = nn.remat(_run, prevent_cse=not in_a_loop)  # a loop prevents CSE by itself
        elif self.rematerialize and in_a_loop:
            run = nn.remat(_run, policy=self.rematerialize, prevent_cse=False)
        x = first(self.make_unit(stride=self.stride, is_first=self.is_first, name='unit1'), x)
        if not self.stacked:
            for i in range(2, self.size + 1):
                x = run(self.make_unit(stride=1, is_first=False, name=f'unit{i}'), x)
        elif self.size > 1:
            rest = nn.scan(
                lambda unit, x, _: (run(unit, x), None),
                variable_axes={'params': 0, 'batch_stats': 0, 'intermediates': 0},
                split_rngs={'params': True, 'dropout': True},
                length=self.size - 1,
                unroll=1 if in_a_loop else self.size - 1,
            )
            x, _ = rest(self.make_unit(stride=1, is_first=False, name='rest'), x, None)
        return x


def _run(unit: Unit, x: jax.Array) -> jax.Array:
    return unit(x)


class Pooling(NamedTuple):
    """Settings of what follows the last unit: by default global average pooling, as in both papers.

    Attributes:
        pooled_size: height and width after the pooling.
        drop_block: rate of DropBlock before the pooling, with 3x3 squares.
        dropout: rate of dropout on the features.
    """

    pooled_size: int = 1
    drop_block: float = 0.0
    dropout: float = 0.0


class PoolingLayers(nn.Module):
    """The layers between the last unit and the head.

    Attributes:
        pooling: their settings.
        steps: layers before the pooling that the last unit does not have itself: '', 'relu' or 'norm relu'.
        factory: makes its layers.
    """

    pooling: Pooling
    steps: str
    factory: LayerFactory

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Features [batch, pooled_size^2 x channels], at least float32. Raises ValueError as `average_pool`."""
        if 'norm' in self.steps:
            x = self.factory.norm()(x)
        if 'relu' in self.steps:
            x = nn.relu(x)
        x = self.factory.drop_block(self.pooling.drop_block)(x)
        x = average_pool(x, self.pooling.pooled_size)
        x = x.reshape(x.shape[0], x.shape[1] * x.shape[2] * x.shape[3])  # not -1: a batch may be empty
        return self.factory.dropout(self.pooling.dropout)(x)


class ResNet(nn.Module):
    """A residual network, or a plain one if its shortcut is 'none'.

    Attributes:
        stage_sizes: number of units in each stage.
        widths: output channels of each stage.
        layers: for each stage, the convolutions of a unit; for example an entry of LAYERS.
        stem, pooling: settings of the layers before the first unit and after the last.
        order: order of convolution, BatchNorm, ReLU and addition in every unit; one of ORDERS.
        shortcut: a name that `shortcuts.shortcut` accepts.
        shortcut_windows: kernel size of the projections in each stage; by default 1.
        zero_last_scale: initialize the scale of each branch's last BatchNorm with zero (Goyal et al. 2017).
        num_classes: outputs of the head; with 0 there is no head, and the network returns the pooled features.
        initialization: initializers of the convolutions' and the head's kernels; one of INITIALIZATIONS.
        conv: makes the convolutions: `nn.Conv`, or a class that takes the same arguments.
        norm: makes the normalizations: `BatchNorm`, a `BatchNorms`, or a class that takes the same arguments.
        dtype: dtype of the computation, for example bfloat16; parameters, statistics and outputs stay float32.
        stacked: keep the identical units of a stage in stacked arrays, `stage2/rest/...`, and run them in a scan, so
            that any depth compiles in seconds. If False, each unit has its own name, `stage2/unit7/...`.
        unroll: if a stack has at most this many units, they run one after another without a loop. This is faster, and
            with few units it compiles as fast.
        rematerialize: True keeps only each unit's input for the backward pass, which computes the unit again. This
            saves memory and costs time. A policy of `jax.checkpoint` chooses the values that are kept for the backward
            pass; it is used only for units that run in a loop.

    Variables: {'params': ..., 'batch_stats': ...}, named `stem/conv`, `stage1/unit1/conv1`, ..., `head`.

    Raises:
        ValueError: a name is unknown, there are too many layers, or two attributes contradict each other.
    """

    stage_sizes: tuple[int, ...]
    widths: tuple[int, ...]
    layers: tuple[tuple[Layer, ...], ...]
    stem: Stem
    pooling: Pooling = Pooling()
    order: str = 'original'
    shortcut: str = 'A'
    shortcut_windows: tuple[int, ...] = ()
    zero_last_scale: bool = False
    num_classes: int = 10
    initialization: str = 'fan_out'
    conv: MakesLayer = nn.Conv
    norm: MakesLayer = BatchNorm
    dtype: Dtype | None = None
    stacked: bool = False
    unroll: int = 1
    rematerialize: bool | Callable[..., Any] = False

    def __post_init__(self) -> None:
        _check(self)
        super().__post_init__()

    @nn.compact
    @independent
    def __call__(self, images: jax.Array, train: bool = False) -> jax.Array:
        """Maps images [batch, height, width, channels] to logits [batch, num_classes] or pooled features, float32.

        With `train=True`, BatchNorm uses the batch's statistics, and `apply` needs `mutable=['batch_stats']`. Networks
        with dropout then also need `rngs={'dropout': key}`.
        """
        kernel_init, head_init = choose('initialization', self.initialization, INITIALIZATIONS)
        order = choose('order', self.order, ORDERS)
        factory = LayerFactory(self.conv, self.norm, kernel_init, self.dtype, train)
        activates = order.stem_activates or self.stem.pool
        x = StemLayers(self.stem, activates, factory, name='stem')(images)
        windows = self.shortcut_windows or (1,) * len(self.stage_sizes)
        stages = zip(self.stage_sizes, self.widths, self.layers, windows, strict=True)
        for i, (size, width, layers, window) in enumerate(stages, start=1):
            make_unit = partial(
                Unit,
                layers=layers,
                order=order.apply,
                make_shortcut=shortcut(self.shortcut, window=window, with_norm=order.projection_norm),
                channels=width,
                factory=factory,
                after_activation=activates,
                zero_last_scale=self.zero_last_scale,
            )
            x = Stage(
                size,
                make_unit,
                stride=1 if i == 1 else 2,
                is_first=i == 1,
                stacked=self.stacked,
                unroll=self.unroll,
                rematerialize=self.rematerialize,
                name=f'stage{i}',
            )(x)
        x = PoolingLayers(self.pooling, order.before_pooling, factory, name='end')(x)
        if self.num_classes:
            x = nn.Dense(self.num_classes, kernel_init=head_init, dtype=self.dtype, name='head')(x)
        return to_float32(x)


def features(net: ResNet, variables: Mapping[str, Any], images: jax.Array) -> dict[str, jax.Array]:
    """Computes the outputs of a network's stem and stages, and its pooled features, as in evaluation.

    They serve retrieval, segmentation heads and probing. The network may be stacked or not, with or without a head.

    Args:
        net: the network.
        variables: {'params': ..., 'batch_stats': ...}.
        images: [batch, height, width, channels], normalized as in training.

    Returns:
        'stem', 'stage1', 'stage2', ...: maps [batch, height, width, channels]; in a pre-activation network, those of
        stages are before BatchNorm and ReLU. 'pooled': [batch, pooled_size^2 x channels], the input of the head.
    """
    parts = (StemLayers, Stage, PoolingLayers)
    _, found = net.apply(variables, images, capture_intermediates=lambda module, _: isinstance(module, parts))
    outputs = {name: part['__call__'][0] for name, part in found['intermediates'].items()}
    outputs['pooled'] = outputs.pop('end')
    return outputs


def _check(net: ResNet) -> None:
    order = choose('order', net.order, ORDERS)
    choose('initialization', net.initialization, INITIALIZATIONS)
    shortcut(net.shortcut)
    count = sum(size * len(layers) for size, layers in zip(net.stage_sizes, net.layers, strict=True))
    if count > MAX_LAYERS:
        raise ValueError(
            f'a network must have at most {MAX_LAYERS:,} layers in its stages, since time and memory grow with each '
            f"layer (the papers' deepest network has 1,202); got {count:,}"
        )
    if net.zero_last_scale:
        never = 'so that the branch would get a gradient of exactly 0 and never train'
        where = order.after_last_norm
        if where:
            raise ValueError(
                f'zero_last_scale cannot be used with order={net.order!r}, where the last BatchNorm {where}, {never}'
            )
        if net.shortcut not in PROJECTIONS:
            raise ValueError(
                f"zero_last_scale needs shortcut='B' or 'C': with {net.shortcut!r}, some channels of the shortcut can "
                f'be 0, as the branch is at first, {never} in them'
            )
