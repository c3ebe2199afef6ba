"""The state with which a run begins: its last checkpoint, that of a shorter run, other weights, or a new state."""

import contextlib
import secrets
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jax_resnet import models
from jax_resnet.backend import devices, processes
from jax_resnet.config.identity import differences
from jax_resnet.data.splits import other_classes
from jax_resnet.errors import ConfigError, DataError
from jax_resnet.files import shown
from jax_resnet.runs.run_folder import RunFolder
from jax_resnet.training.checkpoints import Checkpoints, Damaged
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

MAY_DIFFER = ('train_for', 'keep_every', 'schedule.')
"""Fields and groups of fields in which a longer run may differ from a shorter one; `extend` compares learning rates."""

MAX_DELAY = 90.0
"""Seconds within which other processes must see what process 0 has written. NFS can take 60 seconds."""


def open_folder(folder: RunFolder, experiment: Experiment) -> dict[str, Any] | None:
    """Opens a run folder in all processes. If the run is finished, process 0 prints its summary.

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
        folder.open(experiment.config)
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


def extension(experiment: Experiment, folder: RunFolder, source: str | Path | None) -> dict[str, str]:
    """Calls `extend` if a shorter run is given and the folder has no checkpoint. Raises ConfigError as `extend`.

    Returns facts to record in environment.json: none, or the line of `extend`.
    """
    if not folder.writes or source is None or any(folder.checkpoints.glob('[0-9]*[0-9]')):
        return {}
    line = extend(experiment, folder, RunFolder(source))
    print(line)
    return {'extension': line}


def extend(experiment: Experiment, folder: RunFolder, source: RunFolder) -> str:
    """Copies a run's last checkpoint, and its lines of metrics up to this step, into the folder of a longer run.

    If the learning rates up to this step are the same, the longer run has the same result as a run from the start, bit
    for bit. The evaluation at the end of the shorter run resets the totals. If the longer run has no evaluation at that
    step, the checkpoint before is copied instead.

    Args:
        experiment: the experiment of the longer run.
        folder: the folder of the longer run, without a checkpoint. The caller holds its lock.
        source: the folder of the shorter run.

    Returns:
        A line that says what was copied, and whether the result will be that of a run from the start.

    Raises:
        ConfigError: `source` is no run folder, has no usable checkpoint, or differs in more than MAY_DIFFER.
    """
    if source.path.resolve() == folder.path.resolve():
        raise ConfigError(f'--extend-from={shown(source.path)}: must be another folder than --workdir')
    config = source.config()
    different = '; '.join(differences(config, experiment.config, may_differ=MAY_DIFFER))
    if different:
        raise ConfigError(f'--extend-from={shown(source.path)}: {different}; these must be the same')
    changes = {name: config[name] for name in ('train_for', 'schedule')}
    shorter = Experiment.from_config({**experiment.config, **changes})
    with source.locked():
        step = _last_usable_step(experiment, shorter, source)
        for line in source.metrics():
            if folder.last_step() < line['step'] <= step:
                folder.add_metrics(line)
        for entry in source.starts()[len(folder.starts()) :]:
            folder.record_start(entry['step'], entry)
        _copy(source.checkpoints / str(step), folder.checkpoints / str(step))
    start = f'begins with step {step:,} of {shown(source.path)}: the result'
    for k in range(step):
        old, new = shorter.schedule.rate(k), experiment.schedule.rate(k)
        if old != new:
            return (
                f'{start} differs from a run from the start, as the learning rate of step {k + 1:,} is {old:g} in the '
                f'shorter run, {new:g} in this one'
            )
    return f'{start} is that of a run from the start, bit for bit'


def _last_usable_step(experiment: Experiment, shorter: Experiment, source: RunFolder) -> int:
    """The step of the newest undamaged checkpoint that the longer run can continue."""
    checkpoints = Checkpoints(source.checkpoints, read_only=True)
    try:
        for step in reversed(checkpoints.steps()):
            is_due = experiment.clock.is_due(experiment.config['evaluate_every'], step)
            if step >= experiment.end or (step == shorter.end and not is_due):  # its evaluation reset the totals
                continue
            try:
                checkpoints.restore(step, experiment.abstract_state(), experiment.everywhere)
            except Damaged:
                continue
            return step
    finally:
        checkpoints.close()
    raise ConfigError(
        f'--extend-from={shown(source.path)}: has no checkpoint with which the longer run, of {experiment.end:,} '
        f'steps, could begin; the last one, of step {shorter.end:,}, can only be used if the longer run has an '
        f'evaluation at this step (config.evaluate_every={experiment.config["evaluate_every"]!r})'
    )


def _copy(source: Path, target: Path) -> None:
    draft = target.with_name(f'{target.name}.orbax-checkpoint-tmp')  # orbax removes it if this process is killed
    shutil.rmtree(draft, ignore_errors=True)
    shutil.copytree(source, draft, symlinks=True)
    draft.replace(target)


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
        if experiment.config['init_from'] is not None:
            state, line = begin_from(experiment.config['init_from'], state, experiment.model)
            say(line)
        return state, 0.0
    with contextlib.suppress(ConfigError):  # a damaged file will be written again
        before, now = folder.preprocessing().class_names, experiment.input.source.class_names
        if before != now:
            raise DataError(f'{folder.path}: {other_classes(before, now)}')
    state, seconds = _newest(experiment, checkpoints)
    step, steps_since_line = int(state.step), int(state.totals.steps)
    # An evaluation writes a line and resets the totals. If they are not zero, it is still to come at this step.
    folder.cut_metrics(step - 1 if steps_since_line else step)
    if folder.writes and folder.last_step() != step - steps_since_line:
        say(f'{folder.path}/metrics.jsonl: lines up to step {step - steps_since_line:,} were lost')
    return state, seconds


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
    saved, initial = models.stack(variables), state.variables
    head = initial['params']['head']
    has_new_head = first_difference(saved['params'].get('head', {}), head, 'the config') is not None
    if has_new_head:
        saved['params'] = {**saved['params'], 'head': head}
    difference = first_difference(saved, initial, 'the config')
    if difference is not None:
        raise ConfigError(f'config.init_from={path!r}: has another network; {difference}')
    merged = jax.tree.map(lambda new, old: devices.put(np.asarray(new, old.dtype), old.sharding), saved, initial)
    line = f'initialized from {path}'
    if has_new_head:
        line += ', with a new head'
    if recorded is None:
        line += f'; it {describe_assumptions(model)}'
    return state.replace(params=merged['params'], batch_stats=merged['batch_stats']), line
