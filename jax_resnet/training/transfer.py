"""What a run begins with: its last checkpoint, its first weights, or those of another network or run."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from jax_resnet import models
from jax_resnet.errors import ConfigError
from jax_resnet.runs.run_folder import RunFolder
from jax_resnet.training.checkpoints import Checkpoints
from jax_resnet.training.experiment import Experiment
from jax_resnet.training.state import TrainState
from jax_resnet.training.trained import load, read_variables


def begin_from(path: str, state: TrainState) -> tuple[TrainState, str]:
    """The state with the parameters and statistics of a trained network, and a line that says which.

    A head with another number of classes stays as it is, newly drawn.

    Args:
        path: a run folder, or a file of weights with our names or PyTorch's.
        state: before the first step, stacked.

    Raises:
        ConfigError: the network there is another one; the message names the first array that differs.
        DataError: a file that cannot be read.
    """
    variables = load(path).variables if Path(path).is_dir() else read_variables(path)
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
    return new, f'begun from {path}{head}'


def _shape(array: Any) -> str:
    return 'not' if array is None else str(list(np.shape(array)))


def begin(
    experiment: Experiment, folder: RunFolder, checkpoints: Checkpoints, say: Callable[[str], None]
) -> tuple[TrainState, float]:
    """The state, and the seconds of training that led to it; lines of metrics that come again are dropped.

    Args:
        experiment: what is run.
        folder: of the run.
        checkpoints: of the run.
        say: shows a line.

    Raises:
        ConfigError, DataError: no checkpoint can be used; or `init_from` cannot.
    """
    if not checkpoints.steps():
        folder.cut_metrics(0)
        state = experiment.initial_state()
        if experiment.config['init_from'] is not None:
            state, line = begin_from(experiment.config['init_from'], state)
            say(line)
        return state, 0.0
    state, seconds = checkpoints.restore_latest(experiment.abstract_state(), experiment.everywhere)
    # Totals that are not yet zero have not been evaluated: the line of this very step is to come.
    folder.cut_metrics(int(state.step) - bool(state.totals.steps))
    due = int(state.step) - int(state.totals.steps)
    if folder.last_step() != due:
        say(f'{folder.path}/metrics.jsonl: lines up to step {due:,} were lost')
    return state, seconds
