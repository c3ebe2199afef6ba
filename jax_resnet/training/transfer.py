"""How a run begins: opens its folder; its state is the last checkpoint, other weights, or a new state."""

import contextlib
import secrets
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from jax_resnet import models
from jax_resnet.data.splits import other_classes
from jax_resnet.errors import ConfigError, DataError
from jax_resnet.hosts import devices, processes
from jax_resnet.runs.run_folder import RunFolder
from jax_resnet.training.checkpoints import Checkpoints
from jax_resnet.training.experiment import Experiment
from jax_resnet.training.saved_weights import (
    check_same,
    describe_assumptions,
    first_difference,
    read_variables,
    recorded_network,
)
from jax_resnet.training.state import TrainState
from jax_resnet.training.summary import describe_summary
from jax_resnet.training.trained import load

MAX_DELAY = 90.0
"""Seconds within which other processes must see what process 0 has written. NFS can take 60 seconds."""


def open_folder(
    folder: RunFolder, experiment: Experiment, file: str | None, changes: Mapping[str, Any] | None
) -> dict[str, Any] | None:
    """Opens a run folder in all processes, see `RunFolder.open`. If the run is finished, process 0 prints its summary.

    Returns:
        None if the run is not finished. Else the summary in process 0, and an empty dict in other processes.

    Raises:
        ConfigError: as `RunFolder.open`; or the processes have different configs, data or versions; or they have
            different folders.
    """
    if processes.are_several():
        processes.barrier('opened')  # decoding or checking data may have taken long in one of them
        experiment.check_same_in_all()
    if folder.writes:
        folder.open(experiment.config, file, changes)
    if processes.are_several():
        token, deadline = processes.from_first(secrets.randbits(31)), time.monotonic() + MAX_DELAY
        folder.write_token(token)
        processes.from_first(0)  # waits until process 0 has written the token
        while not folder.has_token(token) and time.monotonic() < deadline:
            time.sleep(0.2)
        without_token = np.flatnonzero(~processes.gather_numbers(folder.has_token(token)).astype(bool))
        folder.remove_token()
        if len(without_token):
            raise ConfigError(
                f'{folder.path}: must be on a file system that all processes share; files of process 0 are not visible '
                f'in processes {", ".join(map(str, without_token))} of {jax.process_count()}'
            )
    if not processes.from_first(folder.summary() is not None):
        return None
    summary = folder.summary() if folder.writes else None
    if summary is None:
        return {}
    print(f'This run is already finished. Its summary, from {folder.path}:', describe_summary(summary), sep='\n')
    return summary


def check_sources(experiment: Experiment, folder: RunFolder) -> None:
    """Checks the data; and for a new run, that `config.init_from` exists. Only process 0 does.

    Raises:
        ConfigError, DataError: a source is missing or damaged.
    """
    if folder.writes:
        experiment.input.check_data()
        if not folder.exists():
            check_source(experiment.config.init_from)


def check_source(path: str | None) -> None:
    """Raises ConfigError if `config.init_from` names a file or folder that does not exist."""
    if path is not None and not Path(path).exists():
        raise ConfigError(f'config.init_from={path!r}: no such file or run folder')


def begin(
    experiment: Experiment, folder: RunFolder, checkpoints: Checkpoints, say: Callable[[str], None]
) -> tuple[TrainState, float]:
    """Returns the state with which a start of a run begins. Removes lines of metrics that the run will write again.

    Args:
        experiment, folder, checkpoints, say: those of the run; `say` prints a line.

    Returns:
        The state, and the duration of the run up to its step in seconds.

    Raises:
        ConfigError, DataError: no checkpoint can be used, `config.init_from` cannot be used, or the classes changed.
    """
    if not processes.from_first(len(checkpoints.steps())):
        folder.cut_metrics(0)
        state = experiment.initial_state()
        if experiment.config.init_from is not None:
            state, line = begin_from(experiment.config.init_from, state, experiment.model)
            say(line)
        return state, 0.0
    check_classes(folder, experiment)
    state, seconds = _newest(experiment, checkpoints)
    folder.cut_metrics(int(state.step))
    return state, seconds


def check_classes(folder: RunFolder, experiment: Experiment) -> None:
    """Raises DataError if the run in a folder has other classes than the data of the experiment."""
    with contextlib.suppress(ConfigError):  # a damaged file will be written again
        before, now = folder.preprocessing().class_names, experiment.input.source.class_names
        if before != now:
            raise DataError(f'{folder.path}: {other_classes(before, now)}')


def _newest(experiment: Experiment, checkpoints: Checkpoints) -> tuple[TrainState, float]:
    """Restores the newest undamaged checkpoint. Process 0 finds it, so that all processes restore the same one."""
    like, everywhere = experiment.abstract_state(), experiment.everywhere
    if processes.is_first():
        state, seconds = checkpoints.restore_latest(like, everywhere)
        processes.from_first(int(state.step))
        return state, seconds
    return checkpoints.restore(processes.from_first(0), like, everywhere)


def begin_from(path: str, state: TrainState, model: models.ResNet) -> tuple[TrainState, str]:
    """Initializes a state with the parameters and BatchNorm statistics of a trained network.

    If that network has another number of classes, the head keeps its initialization. The second result is a log line.

    Args:
        path: a run folder, or a file of weights with our names or PyTorch's.
        state: the state before the first step; its parameters are stacked.
        model: the network of the state.

    Raises:
        ConfigError: `path` does not exist, or has another network; the message names the first difference.
        DataError: the file cannot be read.
    """
    check_source(path)
    recorded = recorded_network(path)
    if recorded is not None:
        check_same(f'config.init_from={path!r}', recorded[1], model)
    variables = load(path).variables if Path(path).is_dir() else read_variables(path, headless=True)
    saved, initial = (flatten_dict(tree, sep='/') for tree in (models.stack(variables), state.variables))
    heads = [{name: x for name, x in arrays.items() if name.startswith('params/head/')} for arrays in (saved, initial)]
    has_new_head = first_difference(heads[0], heads[1], 'the config') is not None
    if has_new_head:
        saved = {name: x for name, x in saved.items() if name not in heads[0]} | heads[1]
    difference = first_difference(saved, initial, 'the config')
    if difference is not None:
        raise ConfigError(f'config.init_from={path!r}: has another network; {difference}')
    arrays = {name: devices.put(np.asarray(saved[name], x.dtype), x.sharding) for name, x in initial.items()}
    merged = unflatten_dict(arrays, sep='/')
    line = f'initialized from {path}'
    if has_new_head:
        line += ', with a new head'
    if recorded is None:
        line += f'; it {describe_assumptions(model)}'
    return state.replace(params=merged['params'], batch_stats=merged['batch_stats']), line
