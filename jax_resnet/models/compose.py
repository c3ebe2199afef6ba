"""From the names of parts to a network of them."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from jax_resnet.models.parts import ModuleDef
from jax_resnet.models.resnet import INITIALIZATIONS, End, ResNet
from jax_resnet.models.shortcuts import PROJECTIONS
from jax_resnet.models.shortcuts import shortcut as shortcut_named
from jax_resnet.models.units import ORDERS, Layer, Unit


def compose(
    *,
    layers: Sequence[Sequence[Layer]],
    order: str,
    shortcut: str,
    stem: ModuleDef,
    initialization: str,
    shortcut_windows: Sequence[int] = (),
    zero_last_scale: bool = False,
    end: ModuleDef = End,
    **attributes: Any,
) -> ResNet:
    """A network whose stem and end are what the order of its units asks for.

    Args:
        layers: a unit's convolutions, in each stage.
        order: one of ORDERS.
        shortcut: a name, as `shortcuts.shortcut` knows them.
        stem: makes the stem from `steps` and `parts`.
        initialization: one of INITIALIZATIONS.
        shortcut_windows: of the projections, in each stage; by default 1.
        zero_last_scale: as for `Unit`.
        end: makes the end from `steps` and `parts`.
        **attributes: further ones of `ResNet`.

    Raises:
        ValueError: an unknown name.
    """
    kernel_init, head_init = choose('initialization', initialization, INITIALIZATIONS)
    unit = partial(Unit, order=choose('order', order, ORDERS), zero_last_scale=zero_last_scale)
    made: ModuleDef = shortcut_named(shortcut)
    stem_steps, end_steps = 'norm relu', ''
    if order == 'full_preactivation':
        # The first unit begins with its own BatchNorm and ReLU; its projections have no BatchNorm.
        stem_steps, end_steps = '', 'norm relu'
        made = partial(made, with_norm=False) if shortcut in PROJECTIONS else made
    elif order == 'relu_only_preactivation':
        end_steps = 'relu'
    shortcuts: list[ModuleDef] = [partial(made, window=window) for window in shortcut_windows]
    shortcuts = shortcuts or [made] * len(layers)
    return ResNet(
        units=[partial(unit, layers=ls, shortcut=s) for ls, s in zip(layers, shortcuts, strict=True)],
        stem=partial(stem, steps=stem_steps),
        end=partial(end, steps=end_steps),
        kernel_init=kernel_init,
        head_init=head_init,
        **attributes,
    )


def choose(field: str, name: str | None, table: Mapping[str, Any]) -> Any:
    """The table's entry of that name. Raises ValueError, with the known ones, where there is none."""
    if name is None or name not in table:
        raise ValueError(f'{field} must be one of {", ".join(table)}; got {name!r}')
    return table[name]
