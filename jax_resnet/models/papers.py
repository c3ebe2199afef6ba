"""The networks of the two papers, CIFAR's and ImageNet's, by depth; those of others are in `assignments`."""

from typing import Unpack

from jax_resnet.models.choose import choose
from jax_resnet.models.resnet import MOST_LAYERS, WHY_MOST, Attributes, ResNet
from jax_resnet.models.stem import Stem
from jax_resnet.models.units import LAYERS

CIFAR_DEPTHS: dict[str, tuple[int, str]] = {
    'basic': (6, '20, 32, 44, 56, 110'),
    'bottleneck': (9, '164, 1001'),
    'one_layer': (3, '20, 56, 110'),
    'three_layer': (9, '20, 56, 110'),
}
"""By unit: the layers that one unit in each of the three stages makes, and the papers' depths."""

IMAGENET_STAGES: dict[int, tuple[str, tuple[int, ...]]] = {
    18: ('basic', (2, 2, 2, 2)),
    34: ('basic', (3, 4, 6, 3)),
    50: ('bottleneck', (3, 4, 6, 3)),
    101: ('bottleneck', (3, 4, 23, 3)),
    152: ('bottleneck', (3, 8, 36, 3)),
    200: ('bottleneck', (3, 24, 36, 3)),
}
"""By depth: the unit, and units a stage (He et al. 2015, Table 1; 200: 2016, section 5)."""


def cifar_resnet(
    depth: int,
    *,
    unit: str = 'basic',
    order: str = 'original',
    shortcut: str = '',
    stage_sizes: tuple[int, ...] = (),
    zero_last_scale: bool = False,
    num_classes: int = 10,
    initialization: str = 'fan_out',
    **parts: Unpack[Attributes],
) -> ResNet:
    """The CIFAR networks of He et al. 2015 (section 4.2) and 2016: n units in each of three stages.

    Args:
        depth: weighted layers: 6n+2 of basic units (20, 32, 44, 56, 110, 1202), 9n+2 of bottlenecks (164, 1001) and
            of three-layer units, 3n+2 of one-layer units; at most 10,000.
        unit: 'basic', two 3x3 convolutions of 16, 32, 64 channels; 'bottleneck', 1x1, 3x3, 1x1, of 64, 128, 256 outside
            and a quarter inside; 'one_layer' (2016, Table 3) and 'three_layer', as many 3x3 convolutions.
        order: of convolution, BatchNorm and ReLU, one of ORDERS: 'original' (2015), 'full_preactivation' (2016), ...
        shortcut: 'A' (padded identity; 'A_centred' as akamaster pads), 'B' (projection where shapes change), 'C'
            (projection everywhere), 'none' (a plain net), or one of 2016's, such as 'exclusive_gating_-6'. By default
            A, and B for bottlenecks.
        stage_sizes: units in each of the three stages, 3n in all; by default n each.
        zero_last_scale: begin with zero for the scale of each branch's last BatchNorm (Goyal et al. 2017), which must
            end the branch ('original', 'relu_only_preactivation'), with shortcut B or C.
        num_classes: outputs; 0 for pooled features [batch, 64] ([batch, 256] of bottlenecks).
        initialization: of the convolutions, 'fan_out' (the authors' code, head uniform within
            1/sqrt(fan_in)), 'fan_out_small_head' (Goyal et al. 2017), 'fan_in' (the head too: He normal, as in the
            Lab) or 'lecun' (Flax's default).
        **parts: further attributes of `ResNet`: conv, norm, dtype, stacked, unroll, rematerialize.

    Raises:
        ValueError: a depth off the unit's rule, stage sizes with another total, an unknown unit, order, shortcut or
            initialization, or what cannot be together.
    """
    layers, examples = choose('unit', unit, CIFAR_DEPTHS)
    if not isinstance(depth, int) or depth < layers + 2 or (depth - 2) % layers:
        raise ValueError(f'depth must be {layers}n+2, such as {examples}; got {depth}')
    if depth > MOST_LAYERS:
        raise ValueError(f'depth must be at most {MOST_LAYERS:,} layers, {WHY_MOST}; got {depth}')
    n = (depth - 2) // layers
    stage_sizes = tuple(stage_sizes) or (n, n, n)
    if len(stage_sizes) != 3 or min(stage_sizes) < 1 or sum(stage_sizes) != 3 * n:
        raise ValueError(f'stage_sizes must be 3 counts, {3 * n} in all at depth {depth}; got {stage_sizes}')
    factor = 4 if unit == 'bottleneck' else 1
    return ResNet(
        stage_sizes=stage_sizes,
        widths=(16 * factor, 32 * factor, 64 * factor),
        layers=(LAYERS[unit],) * 3,
        stem=Stem(channels=16),
        order=order,
        shortcut=shortcut or ('B' if unit == 'bottleneck' else 'A'),
        zero_last_scale=zero_last_scale,
        num_classes=num_classes,
        initialization=initialization,
        **parts,
    )


def cifar_plain(
    depth: int,
    *,
    unit: str = 'basic',
    order: str = 'original',
    shortcut: str = 'none',
    stage_sizes: tuple[int, ...] = (),
    num_classes: int = 10,
    initialization: str = 'fan_out',
    **parts: Unpack[Attributes],
) -> ResNet:
    """The plain counterpart of `cifar_resnet(depth)`: the same layers without shortcuts. Arguments as there.

    Raises:
        ValueError: a shortcut other than 'none', or as in `cifar_resnet`.
    """
    _check_plain(shortcut, 'cifar_resnet')
    return cifar_resnet(
        depth,
        unit=unit,
        order=order,
        shortcut=shortcut,
        stage_sizes=stage_sizes,
        num_classes=num_classes,
        initialization=initialization,
        **parts,
    )


def imagenet_resnet(
    depth: int,
    *,
    order: str = 'original',
    shortcut: str = '',
    v1_5: bool = False,
    zero_last_scale: bool = False,
    num_classes: int = 1000,
    initialization: str = 'fan_out',
    **parts: Unpack[Attributes],
) -> ResNet:
    """The ImageNet networks of He et al. 2015 (Table 1) and 2016 (section 5), for images of any size.

    Args:
        depth: 18, 34 (basic units), 50, 101, 152, 200 (bottlenecks).
        order: of convolution, BatchNorm and ReLU, one of ORDERS; 'full_preactivation' is 2016's.
        shortcut: 'A', 'B', 'C', ... as in `cifar_resnet`; by default A at 18 and 34, B at 50 and deeper.
        v1_5: a bottleneck's stride in its 3x3 convolution, as torchvision has it, not in its first 1x1, as the paper.
        zero_last_scale: as in `cifar_resnet`.
        num_classes: outputs; 0 for pooled features [batch, 512] ([batch, 2048] of bottlenecks).
        initialization, **parts: as in `cifar_resnet`.

    Raises:
        ValueError: another depth, an unknown order, shortcut or initialization, or what cannot be together.
    """
    if depth not in IMAGENET_STAGES:
        raise ValueError(f'depth must be one of {", ".join(map(str, IMAGENET_STAGES))}; got {depth}')
    unit, stage_sizes = IMAGENET_STAGES[depth]
    if v1_5 and unit != 'bottleneck':
        raise ValueError(f'v1_5 is of bottlenecks, which begin at depth 50; got depth {depth}')
    factor = 4 if unit == 'bottleneck' else 1
    return ResNet(
        stage_sizes=stage_sizes,
        widths=(64 * factor, 128 * factor, 256 * factor, 512 * factor),
        layers=(LAYERS['bottleneck_v1.5' if v1_5 else unit],) * 4,
        stem=Stem(channels=64, window=7, stride=2, pool=True),
        order=order,
        shortcut=shortcut or ('B' if unit == 'bottleneck' else 'A'),
        zero_last_scale=zero_last_scale,
        num_classes=num_classes,
        initialization=initialization,
        **parts,
    )


def imagenet_plain(
    depth: int,
    *,
    order: str = 'original',
    shortcut: str = 'none',
    num_classes: int = 1000,
    initialization: str = 'fan_out',
    **parts: Unpack[Attributes],
) -> ResNet:
    """The plain-18 and plain-34 of He et al. 2015 (section 3.3). Arguments as in `imagenet_resnet`.

    Raises:
        ValueError: another depth, a shortcut other than 'none', or as in `imagenet_resnet`.
    """
    if depth not in (18, 34):
        raise ValueError(f'depth must be 18 or 34; got {depth}')
    _check_plain(shortcut, 'imagenet_resnet')
    return imagenet_resnet(
        depth,
        order=order,
        shortcut=shortcut,
        num_classes=num_classes,
        initialization=initialization,
        **parts,
    )


def _check_plain(shortcut: str, residual: str) -> None:
    if shortcut != 'none':
        raise ValueError(f"shortcut must be 'none' in a plain network; got {shortcut!r}, which {residual} takes")
