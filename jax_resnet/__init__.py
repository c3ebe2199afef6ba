"""Deep residual networks in JAX: the experiments of He et al. 2015 and 2016, to read, run and import."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jax_resnet.training.trained import Trained

__version__ = '0.1.0'


def load(path: str | Path, config: Mapping[str, Any] | None = None) -> 'Trained':
    """A trained network, of a run folder or a file of weights, ready to use. See `training.trained.load`."""
    from jax_resnet.training import trained  # heavy: importing jax_resnet.models needs none of it

    return trained.load(path, config)
