"""Deep residual networks in JAX: the experiments of He et al. 2015 and 2016, to read, run and import."""

from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jax_resnet.config.fields import Config
    from jax_resnet.training.load import Trained

__version__ = '0.1.0'


def __getattr__(name: str) -> ModuleType:
    """Imports `jax_resnet.models` and the other subpackages when they are used. `import jax_resnet` is fast."""
    if name.startswith('_') or find_spec(f'{__name__}.{name}') is None:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    return import_module(f'{__name__}.{name}')


def load(path: str | Path, config: 'Config | Mapping[str, Any] | None' = None) -> 'Trained':
    """Loads a trained network from a run folder, a file of weights, or the Hub. See `training.load.load`."""
    from jax_resnet import training  # a slow import that jax_resnet.models does not need

    return training.load(path, config)
