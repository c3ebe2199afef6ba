"""The named networks: those of the two papers, wide and grouped ones, and those of assignments (Scaled, Identity4)."""

from collections.abc import Callable, Mapping
from math import prod
from numbers import Integral
from typing import Any

import jax
import jax.numpy as jnp

from jax_resnet.models.resnet import Pooling, ResNet, Stem
from jax_resnet.models.units import LAYERS, Layer
from jax_resnet.models.variables import count_parameters
from jax_resnet.own_parts import choose, errors

CIFAR_DEPTHS: dict[str, str] = {
    'basic': '20, 32, 44, 56, 110',
    'bottleneck': '164, 1001',
    'one_layer': '20, 56, 110',
    'three_layer': '20, 56, 110',
}
"""By unit, one of LAYERS: the papers' depths. One more unit in each of the three stages adds three times its layers."""

IMAGENET_STAGES: dict[int, tuple[str, tuple[int, ...]]] = {
    18: ('basic', (2, 2, 2, 2)),
    26: ('bottleneck', (2, 2, 2, 2)),
    34: ('basic', (3, 4, 6, 3)),
    50: ('bottleneck', (3, 4, 6, 3)),
    101: ('bottleneck', (3, 4, 23, 3)),
    152: ('bottleneck', (3, 8, 36, 3)),
    200: ('bottleneck', (3, 24, 36, 3)),
}
"""By depth: the unit, and the number of units in each stage (He et al. 2015, Table 1; 200: 2016, section 5).

26 is no network of the papers; timm and microsoft/resnet-26 have it.
"""


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
    **attributes: Any,
) -> ResNet:
    """Builds a CIFAR network of He et al. 2015 (section 4.2) or 2016: n units in each of three stages.

    Args:
        depth: number of weighted layers: 6n+2 with basic units (20, 32, 44, 56, 110, 1202), 9n+2 with bottlenecks
            (164, 1001) or three-layer units, 3n+2 with one-layer units; at most 10,000.
        unit: 'basic' has two 3x3 convolutions with 16, 32, 64 channels in the three stages. 'bottleneck' has 1x1, 3x3
            and 1x1 convolutions with 64, 128, 256 output channels, and a quarter of them inside. 'one_layer' (2016,
            Table 3) and 'three_layer' have one and three 3x3 convolutions.
        order: order of convolution, BatchNorm and ReLU; one of ORDERS: 'original' (2015),
            'full_preactivation' (2016), ...
        shortcut: 'A' (padded identity; 'A_centred' pads like akamaster), 'B' (projection where shapes change), 'C'
            (projection everywhere), 'none' (a plain net), or a shortcut of 2016, such as 'exclusive_gating_-6'. The
            default is B for bottlenecks and A for other units.
        stage_sizes: number of units in each of the three stages; their sum must be 3n. By default each stage has n.
        zero_last_scale: initialize the scale of each branch's last BatchNorm with zero (Goyal et al. 2017). This
            BatchNorm must end the branch ('original', 'relu_only_preactivation'), and the shortcut must be B or C.
        num_classes: number of outputs; 0 returns the pooled features [batch, 64] ([batch, 256] with bottlenecks).
        initialization: 'fan_out' (the authors' code; the head is uniform within 1/sqrt(fan_in)), 'fan_out_small_head'
            (Goyal et al. 2017), 'fan_in' (He normal, for the head too, as in the Lab) or 'lecun' (Flax's default).
        **attributes: attributes of `ResNet` that say how to compute the network, not what it is: conv, norm, dtype,
            stacked, unroll, rematerialize.

    Raises:
        ValueError: the depth does not fit the unit, the stage sizes do not add up to 3n, a unit, order, shortcut or
            initialization is unknown, or two arguments contradict each other.
    """
    layers = choose('unit', unit, {name: LAYERS[name] for name in CIFAR_DEPTHS})
    count = 3 * len(layers)
    if not isinstance(depth, Integral) or depth < count + 2 or (depth - 2) % count:
        examples = CIFAR_DEPTHS.get(unit, 3 * count + 2)
        raise ValueError(f'depth must be {count}n+2, such as {examples}; got {depth!r}')
    n = int(depth - 2) // count
    stage_sizes = tuple(stage_sizes) or (n, n, n)
    if len(stage_sizes) != 3 or min(stage_sizes) < 1 or sum(stage_sizes) != 3 * n:
        raise ValueError(f'stage_sizes must be 3 counts, {3 * n} in all at depth {depth}; got {stage_sizes}')
    factor = 4 if unit == 'bottleneck' else 1
    return ResNet(
        stage_sizes=stage_sizes,
        widths=(16 * factor, 32 * factor, 64 * factor),
        layers=(layers,) * 3,
        stem=Stem(channels=16),
        order=order,
        shortcut=shortcut or ('B' if unit == 'bottleneck' else 'A'),
        zero_last_scale=zero_last_scale,
        num_classes=num_classes,
        initialization=initialization,
        **attributes,
    )


def cifar_plain(depth: int, *, shortcut: str = 'none', **options: Any) -> ResNet:
    """Builds the plain counterpart of `cifar_resnet(depth)`: the same layers and arguments, without shortcuts.

    Raises:
        ValueError: the shortcut is not 'none', or as in `cifar_resnet`.
    """
    _check_plain(shortcut, 'cifar_resnet')
    return cifar_resnet(depth, shortcut=shortcut, **options)


def imagenet_resnet(
    depth: int,
    *,
    order: str = 'original',
    shortcut: str = '',
    v1_5: bool = False,
    width_factor: int = 1,
    groups: int = 1,
    group_width: int = 0,
    cifar_stem: bool = False,
    num_classes: int = 1000,
    **attributes: Any,
) -> ResNet:
    """Builds an ImageNet network of He et al. 2015 (Table 1) or 2016 (section 5), for images of any size.

    Args:
        depth: 18, 34 (basic units), 26, 50, 101, 152, 200 (bottlenecks).
        order: order of convolution, BatchNorm and ReLU; one of ORDERS. The 2016 paper uses 'full_preactivation'.
        shortcut: 'A', 'B', 'C', ... as in `cifar_resnet`; by default A at 18 and 34, B at 50 and deeper.
        v1_5: put a bottleneck's stride in its 3x3 convolution, like torchvision. The paper puts it in the first 1x1.
        width_factor: factor of the channels inside bottlenecks; 2 is torchvision's wide_resnet50_2 (Zagoruyko and
            Komodakis 2016, arXiv 1605.07146).
        groups, group_width: number of groups of a bottleneck's 3x3 convolution, and the channels of each in the first
            stage; 32 and 4 make ResNeXt 32x4d (Xie et al. 2016, arXiv 1611.05431).
        cifar_stem: begin with a 3x3 convolution without stride and pooling, for small images. With depth 18, shortcut B
            and 10 classes, this is the ResNet-18 of kuangliu/pytorch-cifar.
        num_classes: number of outputs; 0 returns the pooled features [batch, 512] ([batch, 2048] with bottlenecks).
        **attributes: zero_last_scale, initialization and others, as in `cifar_resnet`.

    Raises:
        ValueError: a depth, order, shortcut or initialization is unknown, or two arguments contradict each other.
    """
    if depth not in IMAGENET_STAGES:
        raise ValueError(f'depth must be one of {", ".join(map(str, IMAGENET_STAGES))}; got {depth}')
    unit, stage_sizes = IMAGENET_STAGES[depth]
    is_widened = (width_factor, groups, group_width) != (1, 1, 0)
    if unit != 'bottleneck' and (v1_5 or is_widened):
        raise ValueError(
            f'v1_5, width_factor and groups need bottlenecks, which depths 18 and 34 do not have; got depth {depth}'
        )
    layers = LAYERS['bottleneck_v1.5' if v1_5 else unit]
    if is_widened:
        layers = _widen(layers, width_factor, groups, group_width)
    factor = 4 if unit == 'bottleneck' else 1
    return ResNet(
        stage_sizes=stage_sizes,
        widths=(64 * factor, 128 * factor, 256 * factor, 512 * factor),
        layers=(layers,) * 4,
        stem=Stem(channels=64) if cifar_stem else Stem(channels=64, window=7, stride=2, pool=True),
        order=order,
        shortcut=shortcut or ('B' if unit == 'bottleneck' else 'A'),
        num_classes=num_classes,
        **attributes,
    )


def _widen(layers: tuple[Layer, ...], factor: int, groups: int, group_width: int) -> tuple[Layer, ...]:
    """The layers of a bottleneck with another number of channels inside. The argument `factor` is for one group."""
    if factor < 1 or groups < 1 or (groups > 1) != (group_width > 0) or (groups > 1 and factor > 1):
        raise ValueError(
            'bottlenecks take width_factor, or else groups, at least 2, with group_width, at least 1; '
            f'got width_factor={factor}, groups={groups}, group_width={group_width}'
        )
    width = layers[0].width * (groups * group_width / 64 if groups > 1 else factor)
    first, middle, last = layers
    return first._replace(width=width), middle._replace(width=width, groups=groups), last


def cifar_wide_resnet(depth: int, *, width_factor: int = 10, dropout: float = 0.0, **attributes: Any) -> ResNet:
    """Builds WRN-depth-width_factor of Zagoruyko and Komodakis 2016 (arXiv 1605.07146): wide pre-activation units.

    The widths of `cifar_resnet` are multiplied, except that of the stem; 1x1 convolutions project where shapes change.
    With factor 1, the authors' first shortcut gets the raw input of the unit, and ours the activated one (2016).

    Args:
        depth: number of convolutions, 6n+4: 16, 22, 28, 40. It counts the three projections.
        width_factor: k; the three stages have 16k, 32k and 64k channels.
        dropout: rate of dropout between the two convolutions of each unit.
        **attributes: num_classes, initialization and others, as in `cifar_resnet`.

    Raises:
        ValueError: the depth is not 6n+4, or an argument is out of range.
    """
    if not isinstance(depth, Integral) or depth < 10 or (depth - 4) % 6:
        raise ValueError(f'depth must be 6n+4, such as 16, 22, 28, 40; got {depth!r}')
    if width_factor < 1 or not 0 <= dropout < 1:
        raise ValueError(
            f'width_factor must be at least 1, and dropout at least 0 and below 1; got {width_factor} and {dropout}'
        )
    return ResNet(
        stage_sizes=((depth - 4) // 6,) * 3,
        widths=tuple(channels * width_factor for channels in (16, 32, 64)),
        layers=((Layer(3, strided=True), Layer(3, dropout=dropout)),) * 3,
        stem=Stem(channels=16),
        order='full_preactivation',
        shortcut='B',
        **attributes,
    )


def imagenet_plain(depth: int, *, shortcut: str = 'none', **options: Any) -> ResNet:
    """Builds plain-18 or plain-34 of He et al. 2015 (section 3.3), with the arguments of `imagenet_resnet`.

    Raises:
        ValueError: the depth is not 18 or 34, the shortcut is not 'none', or as in `imagenet_resnet`.
    """
    if depth not in (18, 34):
        raise ValueError(f'depth must be 18 or 34; got {depth}')
    _check_plain(shortcut, 'imagenet_resnet')
    return imagenet_resnet(depth, shortcut=shortcut, **options)


def scaled_resnet(
    stage_sizes: tuple[int, ...] = (3, 3),
    *,
    width: int = 128,
    windows: tuple[int, ...] = (3, 3),
    shortcut_windows: tuple[int, ...] = (3, 3),
    pooled_size: int = 1,
    drop_block: float = 0.0,
    dropout: float = 0.0,
    parameter_limit: int = 5_000_000,
    **attributes: Any,
) -> ResNet:
    """Builds a network of Scaled, a project that rescales ResNet for CIFAR-10 within 5 M parameters.

    The network has a 3x3 stem and N stages. Stage i has B_i basic units with C_i = 2 C_(i-1) channels and F_i x F_i
    convolutions. Where shapes change, the shortcut is a K_i x K_i projection with BatchNorm. Average pooling to P x P
    and a dense head follow. The defaults give the project's best network: 4,435,082 parameters, 90.70 % accuracy.
    The project does not say where DropBlock acts; we chose the last feature map.

    Args:
        stage_sizes: B, the number of units in each of 1 to 5 stages.
        width: C_1, the number of channels of the stem and of the first stage.
        windows: F, one odd kernel size for each stage.
        shortcut_windows: K, one odd kernel size for each stage. The first K is not used, as shapes do not change there.
        pooled_size: P; it must divide the size of the last feature map.
        drop_block: rate of DropBlock before the pooling.
        dropout: rate of dropout on the pooled features.
        parameter_limit: maximum number of parameters; 0 means no limit.
        **attributes: num_classes, initialization and others, as in `cifar_resnet`.

    Raises:
        ValueError: an argument is out of range, or the network exceeds the parameter limit.
    """
    n = len(stage_sizes)
    if not 1 <= n <= 5 or min(stage_sizes) < 1:
        raise ValueError(f'stage_sizes must be 1 to 5 counts, each at least 1; got {stage_sizes}')
    for field, sizes in {'windows': windows, 'shortcut_windows': shortcut_windows}.items():
        if len(sizes) != n or min(sizes) < 1 or not prod(sizes) % 2:
            raise ValueError(f'{field} must be {n} odd sizes, one for each stage; got {sizes}')
    for field, size in {'width': width, 'pooled_size': pooled_size}.items():
        if size < 1:
            raise ValueError(f'{field} must be at least 1; got {size}')
    for field, rate in {'drop_block': drop_block, 'dropout': dropout}.items():
        if not 0 <= rate < 1:
            raise ValueError(f'{field} must be at least 0 and below 1; got {rate}')
    net = ResNet(
        stage_sizes=tuple(stage_sizes),
        widths=tuple(width * 2**i for i in range(n)),
        layers=tuple((Layer(window, strided=True), Layer(window)) for window in windows),
        stem=Stem(channels=width),
        pooling=Pooling(pooled_size, drop_block, dropout),
        shortcut='B',
        shortcut_windows=tuple(shortcut_windows),
        **attributes,
    )
    if parameter_limit:
        side = pooled_size * 2 ** (n - 1)
        images = jax.ShapeDtypeStruct((1, side, side, 3), jnp.float32)
        count = count_parameters(jax.eval_shape(net.init, jax.random.key(0), images)['params'])
        if count > parameter_limit:
            raise ValueError(f'parameter_limit={parameter_limit:,}: this network has {count:,} parameters')
    return net


def identity4(stage_sizes: tuple[int, ...] = (2, 2, 2, 2), **attributes: Any) -> ResNet:
    """Builds Identity4, a course's pre-activation network of four stages for CIFAR-10.

    The network has a 3x3 stem and basic units with 64, 128, 256 and 512 channels. Where shapes change, a 1x1
    convolution projects the pre-activated input. Average pooling of the last feature map and a dense head follow.
    The last feature map is 4x4 both for 32x32 and for 28x28 images.

    Args:
        stage_sizes: units in each of the four stages.
        **attributes: num_classes, initialization and others, as in `cifar_resnet`.

    Raises:
        ValueError: the number of stages is not four, or a stage is empty.
    """
    if len(stage_sizes) != 4 or min(stage_sizes) < 1:
        raise ValueError(f'stage_sizes must be 4 counts, each at least 1; got {stage_sizes}')
    return ResNet(
        stage_sizes=tuple(stage_sizes),
        widths=(64, 128, 256, 512),
        layers=(LAYERS['basic'],) * 4,
        stem=Stem(channels=64),
        order='full_preactivation',
        shortcut='B',
        **attributes,
    )


def own(function: str, *, num_classes: int = 10, **attributes: Any) -> ResNet:
    """Builds a network by an own function, whose import path is `function`. It gets the other arguments.

    Raises:
        ConfigError: the function cannot be imported, fails, or returns no ResNet.
    """
    with errors('function', function):
        make: Callable[..., Any] = choose('function', function, {})
        net = make(num_classes=num_classes, **attributes)
        if not isinstance(net, ResNet):
            raise TypeError(f'must return a models.ResNet; it returns a {type(net).__name__}')
    return net


NETWORKS: dict[str, Callable[..., ResNet]] = {
    'cifar_resnet': cifar_resnet,
    'cifar_plain': cifar_plain,
    'cifar_wide_resnet': cifar_wide_resnet,
    'imagenet_resnet': imagenet_resnet,
    'imagenet_plain': imagenet_plain,
    'scaled_resnet': scaled_resnet,
    'identity4': identity4,
    'own': own,
}
"""Valid values of `config.model.name`. To add a network, write a function and add a line here."""


def from_config(config: Mapping[str, Any], **attributes: Any) -> ResNet:
    """Builds the network that `config` describes: `name` is one of NETWORKS; the rest are its function's arguments.

    Args:
        config: for example {'name': 'cifar_resnet', 'depth': 20, 'num_classes': 10}.
        **attributes: further attributes of `ResNet`, as for `cifar_resnet`.

    Raises:
        ValueError: the name is unknown, or an argument is out of range.
        TypeError: an argument is missing or unknown.
    """
    options = dict(config)
    return choose('name', options.pop('name', None), NETWORKS)(**options, **attributes)


def _check_plain(shortcut: str, residual: str) -> None:
    if shortcut != 'none':
        raise ValueError(f"shortcut must be 'none' in a plain network; got {shortcut!r}, which only {residual} takes")
