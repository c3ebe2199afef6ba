"""Beginning a run with weights that another run, or other code, has trained."""

from pathlib import Path
from typing import Any

import jax
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from jax_resnet import models
from jax_resnet.errors import ConfigError
from jax_resnet.training.known import check_same, known, on_trust
from jax_resnet.training.state import TrainState
from jax_resnet.training.trained import load, read_variables


def begin_from(path: str, state: TrainState, model: models.ResNet) -> tuple[TrainState, str]:
    """The state with the parameters and statistics of a trained network, and a line that says which.

    A head with another number of classes stays as it is, newly drawn.

    Args:
        path: a run folder, or a file of weights with our names or PyTorch's.
        state: before the first step, stacked.
        model: the network that the state is of.

    Raises:
        ConfigError: nothing is there; or the network there is another one: the message names what differs first.
        DataError: a file that cannot be read.
    """
    if not Path(path).exists():
        raise ConfigError(f'config.init_from={path!r}: no such file or run folder')
    found = known(path)
    if found is not None:
        check_same(f'config.init_from={path!r}', found[1], model)
    variables = load(path).variables if Path(path).is_dir() else read_variables(path, headless=True)
    there, here = (flatten_dict(models.stack(tree), sep='/') for tree in (variables, state.variables))
    heads = {name for name in {*there, *here} if name.startswith('params/head/')}
    new_head = any(_shape(there.get(name)) != _shape(here.get(name)) for name in heads)
    taken = {*there, *here} - (heads if new_head else set())
    for name in sorted(taken):
        if _shape(there.get(name)) != _shape(here.get(name)):
            raise ConfigError(
                f'config.init_from={path!r}: holds another network; {name} is {_shape(there.get(name))} there, '
                f'{_shape(here.get(name))} here'
            )
    arrays = {name: jax.device_put(np.asarray(there[name], here[name].dtype), here[name].sharding) for name in taken}
    merged = unflatten_dict({**here, **arrays}, sep='/')
    new = state.replace(params=merged['params'], batch_stats=merged['batch_stats'])
    head = ', with a new head' if new_head else ''
    trust = '' if found is not None else f'; it {on_trust(model)}'
    return new, f'begun from {path}{head}{trust}'


def _shape(array: Any) -> str:
    return 'not' if array is None else str(list(np.shape(array)))
