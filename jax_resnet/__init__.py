"""Deep residual networks in JAX: the experiments of He et al. 2015 and 2016, to read, run and import."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jax_resnet.training.trained import Trained


def load(run_folder: str | Path) -> 'Trained':
    """A trained network: its model, variables, preprocessing and class names. See `training.trained.load`."""
    from jax_resnet.training import trained  # heavy: importing jax_resnet.models needs none of it

    return trained.load(run_folder)
