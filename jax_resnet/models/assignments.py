"""The networks that university assignments on the two papers designed: Scaled and Identity4."""

from math import prod
from typing import Unpack

import jax
import jax.numpy as jnp

from jax_resnet.models.counts import count_parameters
from jax_resnet.models.end import End
from jax_resnet.models.resnet import Attributes, ResNet
from jax_resnet.models.stem import Stem
from jax_resnet.models.units import LAYERS, Layer


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
    num_classes: int = 10,
    initialization: str = 'fan_out',
    **attributes: Unpack[Attributes],
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
        num_classes, initialization, **attributes: as in `cifar_resnet`.

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
        end=End(pooled_size, drop_block, dropout),
        shortcut='B',
        shortcut_windows=tuple(shortcut_windows),
        num_classes=num_classes,
        initialization=initialization,
        **attributes,
    )
    if parameter_limit:
        side = pooled_size * 2 ** (n - 1)
        images = jax.ShapeDtypeStruct((1, side, side, 3), jnp.float32)
        count = count_parameters(jax.eval_shape(net.init, jax.random.key(0), images)['params'])
        if count > parameter_limit:
            raise ValueError(f'parameter_limit={parameter_limit:,}: this network has {count:,} parameters')
    return net


def identity4(
    stage_sizes: tuple[int, ...] = (2, 2, 2, 2),
    *,
    num_classes: int = 10,
    initialization: str = 'fan_out',
    **attributes: Unpack[Attributes],
) -> ResNet:
    """Builds Identity4, a course's pre-activation network of four stages for CIFAR-10.

    The network has a 3x3 stem and basic units with 64, 128, 256 and 512 channels. Where shapes change, a 1x1
    convolution projects the pre-activated input. Average pooling of the last feature map and a dense head follow.
    The last feature map is 4x4 both for 32x32 and for 28x28 images.

    Args:
        stage_sizes: units in each of the four stages.
        num_classes, initialization, **attributes: as in `cifar_resnet`.

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
        num_classes=num_classes,
        initialization=initialization,
        **attributes,
    )
