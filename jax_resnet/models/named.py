"""The papers' networks by name and depth, and the network that a config describes."""

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from jax_resnet.models.parts import ModuleDef
from jax_resnet.models.resnet import INITIALIZATIONS, ResNet, Stem
from jax_resnet.models.shortcuts import shortcut as shortcut_named
from jax_resnet.models.units import LAYERS, ORDERS, Unit

CIFAR_DEPTHS = {'basic': (6, '20, 32, 44, 56, 110'), 'bottleneck': (9, '164, 1001'), 'one_layer': (3, '20, 56, 110')}
"""By unit: the layers that one unit in each of the three stages makes, and the papers' depths."""

IMAGENET_STAGES = {
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
    num_classes: int = 10,
    initialization: str = 'fan_out',
    **parts: Any,
) -> ResNet:
    """The CIFAR networks of He et al. 2015 (section 4.2) and 2016: n units in each of three stages.

    Args:
        depth: weighted layers: 6n+2 of basic units (20, 32, 44, 56, 110, 1202), 9n+2 of bottlenecks (164, 1001),
            3n+2 of one-layer units.
        unit: 'basic', two 3x3 convolutions of 16, 32, 64 channels; 'bottleneck', 1x1, 3x3, 1x1, of 64, 128, 256 outside
            and a quarter inside; 'one_layer', one 3x3 convolution (2016, Table 3).
        order: of convolution, BatchNorm and ReLU, one of ORDERS: 'original' (2015), 'full_preactivation' (2016), ...
        shortcut: 'A' (padded identity; 'A_centred' as akamaster pads), 'B' (projection where shapes change), 'C'
            (projection everywhere), 'none' (a plain net), or one of 2016's, such as 'exclusive_gating_-6'. By default
            A, and B for bottlenecks.
        num_classes: outputs; 0 for pooled features [batch, 64] ([batch, 256] of bottlenecks).
        initialization: of the convolutions, 'fan_out' (the authors' code, head uniform within
            1/sqrt(fan_in)) or 'fan_in' (the head too: He normal, as in the Lab).
        **parts: further attributes of `ResNet`: conv, norm, dtype, stacked, unroll.

    Raises:
        ValueError: a depth off the unit's rule, or an unknown unit, order, shortcut or initialization.
    """
    layers, examples = _choose('unit', unit, CIFAR_DEPTHS)
    if not isinstance(depth, int) or depth < layers + 2 or (depth - 2) % layers:
        raise ValueError(f'depth must be {layers}n+2, such as {examples}; got {depth}')
    factor = 4 if unit == 'bottleneck' else 1
    return _resnet(
        stage_sizes=((depth - 2) // layers,) * 3,
        widths=(16 * factor, 32 * factor, 64 * factor),
        unit=unit,
        order=order,
        shortcut=shortcut or ('B' if unit == 'bottleneck' else 'A'),
        stem=partial(Stem, channels=16, window=3, stride=1, pool=False),
        num_classes=num_classes,
        initialization=initialization,
        **parts,
    )


def cifar_plain(depth: int, *, num_classes: int = 10, initialization: str = 'fan_out', **parts: Any) -> ResNet:
    """The plain counterpart of `cifar_resnet(depth)`: the same layers without shortcuts. Arguments as there."""
    return cifar_resnet(depth, shortcut='none', num_classes=num_classes, initialization=initialization, **parts)


def imagenet_resnet(
    depth: int,
    *,
    order: str = 'original',
    shortcut: str = '',
    v1_5: bool = False,
    zero_last_scale: bool = False,
    num_classes: int = 1000,
    initialization: str = 'fan_out',
    **parts: Any,
) -> ResNet:
    """The ImageNet networks of He et al. 2015 (Table 1) and 2016 (section 5), for images of any size.

    Args:
        depth: 18, 34 (basic units), 50, 101, 152, 200 (bottlenecks).
        order: of convolution, BatchNorm and ReLU, one of ORDERS; 'full_preactivation' is 2016's.
        shortcut: 'A', 'B', 'C', ... as in `cifar_resnet`; by default A at 18 and 34, B at 50 and deeper.
        v1_5: a bottleneck's stride in its 3x3 convolution, as torchvision has it, not in its first 1x1, as the paper.
        zero_last_scale: begin with zero for the scale of each branch's last BatchNorm (Goyal et al. 2017).
        num_classes: outputs; 0 for pooled features [batch, 512] ([batch, 2048] of bottlenecks).
        initialization, **parts: as in `cifar_resnet`.

    Raises:
        ValueError: another depth, or an unknown order, shortcut or initialization.
    """
    if depth not in IMAGENET_STAGES:
        raise ValueError(f'depth must be one of {", ".join(map(str, IMAGENET_STAGES))}; got {depth}')
    unit, stage_sizes = IMAGENET_STAGES[depth]
    factor = 4 if unit == 'bottleneck' else 1
    return _resnet(
        stage_sizes=stage_sizes,
        widths=tuple(factor * width for width in (64, 128, 256, 512)),
        unit='bottleneck_v1.5' if v1_5 and unit == 'bottleneck' else unit,
        order=order,
        shortcut=shortcut or ('B' if unit == 'bottleneck' else 'A'),
        stem=partial(Stem, channels=64, window=7, stride=2, pool=True),
        zero_last_scale=zero_last_scale,
        num_classes=num_classes,
        initialization=initialization,
        **parts,
    )


def imagenet_plain(depth: int, *, num_classes: int = 1000, initialization: str = 'fan_out', **parts: Any) -> ResNet:
    """The plain-18 and plain-34 of He et al. 2015 (section 3.3). Raises ValueError for another depth."""
    if depth not in (18, 34):
        raise ValueError(f'depth must be 18 or 34; got {depth}')
    return imagenet_resnet(depth, shortcut='none', num_classes=num_classes, initialization=initialization, **parts)


NETWORKS: dict[str, Callable[..., ResNet]] = {
    'cifar_resnet': cifar_resnet,
    'cifar_plain': cifar_plain,
    'imagenet_resnet': imagenet_resnet,
    'imagenet_plain': imagenet_plain,
}
"""What `config.model.name` may be. A new network is a function here and a line in this table."""


def from_config(config: Mapping[str, Any], **parts: Any) -> ResNet:
    """The network that `config` describes: `name`, one of NETWORKS, and that function's arguments.

    Args:
        config: such as {'name': 'cifar_resnet', 'depth': 20, 'num_classes': 10}.
        **parts: further attributes of `ResNet`, as for `cifar_resnet`.

    Raises:
        ValueError: an unknown name, or an argument out of its range.
    """
    options = dict(config)
    network = _choose('name', options.pop('name', None), NETWORKS)
    parameters = inspect.signature(network).parameters
    known = {name: p.annotation for name, p in parameters.items() if p.kind is not p.VAR_KEYWORD}
    for name, value in options.items():
        if name not in known:
            raise ValueError(f'{name}: unknown; {network.__name__} takes {", ".join(known)}')
        if not isinstance(value, known[name]):
            raise ValueError(f'{name} must be of type {known[name].__name__}; got {value!r}')
    for name in known.keys() - options.keys():
        if parameters[name].default is inspect.Parameter.empty:
            raise ValueError(f'{name}: missing; {network.__name__} takes {", ".join(known)}')
    return network(**options, **parts)


def _resnet(
    *,
    unit: str,
    order: str,
    shortcut: str,
    stem: ModuleDef,
    initialization: str,
    zero_last_scale: bool = False,
    **attributes: Any,
) -> ResNet:
    """A network of units of one kind; the stem and the end are what the order asks for."""
    kernel_init, head_init = _choose('initialization', initialization, INITIALIZATIONS)
    units = _choose('order', order, ORDERS)
    made = shortcut_named(shortcut)
    stem_steps, end = 'norm relu', ''
    if order == 'full_preactivation':
        # The first unit begins with its own BatchNorm and ReLU; its projections have no BatchNorm.
        stem_steps, end = '', 'norm relu'
        made = partial(made, with_norm=False) if shortcut in ('B', 'C') else made
    elif order == 'relu_only_preactivation':
        end = 'relu'
    return ResNet(
        unit=partial(Unit, layers=LAYERS[unit], order=units, shortcut=made, zero_last_scale=zero_last_scale),
        stem=partial(stem, steps=stem_steps),
        end=end,
        kernel_init=kernel_init,
        head_init=head_init,
        **attributes,
    )


def _choose(field: str, name: str | None, table: Mapping[str, Any]) -> Any:
    if name is None or name not in table:
        raise ValueError(f'{field} must be one of {", ".join(table)}; got {name!r}')
    return table[name]
