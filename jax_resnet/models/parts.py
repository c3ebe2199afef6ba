"""What the modules of a network are built with."""

from collections.abc import Callable
from typing import Any, NamedTuple

ModuleDef = Callable[..., Any]


class Parts(NamedTuple):
    """Made once by the network and handed down, so that dtype, BatchNorm's group and the mode are said once.

    Attributes:
        conv: makes a convolution from its channels and window.
        norm: makes a normalization.
        dropout: makes a dropout from its rate.
        drop_block: makes a `DropBlock` from its rate and the size of its squares.
    """

    conv: ModuleDef
    norm: ModuleDef
    dropout: ModuleDef
    drop_block: ModuleDef
