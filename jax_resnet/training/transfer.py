"""The state that a run begins with: its last checkpoint, a shorter run's, another network's weights, or a new one."""

import contextlib
import secrets
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from jax_resnet import models
from jax_resnet.backend import devices, processes
from jax_resnet.config.identity import differences
from jax_resnet.data.splits import other_classes
from jax_resnet.errors import ConfigError, DataError
from jax_resnet.files import shown
from jax_resnet.runs.run_folder import RunFolder
from jax_resnet.training.checkpoints import Checkpoints, Damaged
from jax_resnet.training.experiment import Experiment
from jax_resnet.training.known import check_same, known, on_trust, read_variables
from jax_resnet.training.state import TrainState
from jax_resnet.training.summary import describe_summary
from jax_resnet.training.trained import load

MAY_DIFFER = ('train_for', 'keep_every', 'schedule.')
"""Fields, or groups, of the two configs; of the schedule, the learning rates up to the checkpoint are compared."""


PATIENCE = 90.0
"""Seconds, more than NFS's 60, in which a shared file system shows to other processes what the first has written."""


def open_folder(folder: RunFolder, experiment: Experiment) -> dict[str, Any] | None:
    """Opens a run folder, in process 0 first. Returns the summary, and prints it, if the run is finished.

    Raises:
        ConfigError: as `RunFolder.open`; or the processes differ in their config, data or versions; or they do not
            share the folder.
    """
    if processes.are_several():
        processes.barrier('opened')  # one may have decoded or checked its data for long
        experiment.check_same_in_all()
    if folder.writes:
        folder.open(experiment.config)
    if processes.are_several():
        token, end = processes.from_first(secrets.randbits(31)), time.monotonic() + PATIENCE
        folder.write_token(token)
        processes.from_first(0)  # it is written
        while not folder.has_token(token) and time.monotonic() < end:
            time.sleep(0.2)
        blind = np.flatnonzero(~processes.gather_numbers(folder.has_token(token)).astype(bool))
        folder.remove_token()
        if len(blind):
            raise ConfigError(
                f'{folder.path}: must be on a file system that all processes share; what process 0 writes there is not '
                f'seen by {", ".join(map(str, blind))} of {jax.process_count()}'
            )
    if not processes.from_first(folder.summary() is not None):
        return None
    finished = folder.summary() if folder.writes else None
    if finished is not None:
        print(f'{folder.path} holds this run, finished:', describe_summary(finished), sep='\n')
    return finished or {}


def extension(experiment: Experiment, folder: RunFolder, source: str | Path | None) -> dict[str, str]:
    """Begins with a shorter run, where one is given and nothing is saved yet.

    Returns:
        What environment.json is to say of it; raises what `extend` does.
    """
    if not folder.writes or source is None or any(folder.checkpoints.glob('[0-9]*[0-9]')):
        return {}
    done = extend(experiment, folder, RunFolder(source))
    print(done)
    return {'extension': done}


def extend(experiment: Experiment, folder: RunFolder, source: RunFolder) -> str:
    """Puts a run's last checkpoint, and its lines of metrics up to there, into the folder of a longer run.

    The result is that of a run from the start, bit for bit, where the learning rates up to there are the same. The
    evaluation at the shorter run's end begins new sums; where it is not due in the longer run, the checkpoint before
    is taken.

    Args:
        experiment: the longer run.
        folder: its folder, without a checkpoint; held by this program.
        source: the shorter run's.

    Returns:
        A line that says what was done, and whether the result is as of a run from the start.

    Raises:
        ConfigError: no run folder, without a usable checkpoint, or of a config that differs in more than MAY_DIFFER.
    """
    if source.path.resolve() == folder.path.resolve():
        raise ConfigError(f'--extend-from={shown(source.path)}: must be another folder than --workdir')
    config = source.config()
    found = '; '.join(differences(config, experiment.config, may_differ=MAY_DIFFER))
    if found:
        raise ConfigError(f'--extend-from={shown(source.path)}: {found}; these must be the same')
    shorter = Experiment.of({**experiment.config, **{name: config[name] for name in ('train_for', 'schedule')}})
    with source.locked():
        step = _last_step(experiment, shorter, source)
        for line in source.metrics():
            if folder.last_step() < line['step'] <= step:
                folder.add_metrics(line)
        for start in source.starts()[len(folder.starts()) :]:
            folder.record_start(start['step'], start)
        _copy(source.checkpoints / str(step), folder.checkpoints / str(step))
    begun = f'begun with step {step:,} of {shown(source.path)}'
    for k in range(step):
        old, new = shorter.schedule.rate(k), experiment.schedule.rate(k)
        if old != new:
            return (
                f'{begun}: not as a run from the start, as the learning rate of step {k + 1:,} was {old:g} there '
                f'and is {new:g} here'
            )
    return f'{begun}: as a run from the start, bit for bit'


def _last_step(experiment: Experiment, shorter: Experiment, source: RunFolder) -> int:
    """The newest checkpoint that is whole, within the longer run, and with sums as the longer run has them."""
    checkpoints = Checkpoints(source.checkpoints, read_only=True)
    try:
        for step in reversed(checkpoints.steps()):
            is_due = experiment.clock.is_due(experiment.config['evaluate_every'], step)
            if step >= experiment.end or (step == shorter.end and not is_due):
                continue
            try:
                checkpoints.restore(step, experiment.abstract_state(), experiment.everywhere)
            except Damaged:
                continue
            return step
    finally:
        checkpoints.close()
    raise ConfigError(
        f'--extend-from={shown(source.path)}: has no checkpoint that the longer run, of {experiment.end:,} steps, '
        f'could begin with; the one at its end, step {shorter.end:,}, serves where '
        f'config.evaluate_every={experiment.config["evaluate_every"]!r} has an evaluation there'
    )


def _copy(source: Path, to: Path) -> None:
    draft = to.with_name(f'{to.name}.orbax-checkpoint-tmp')  # what a kill leaves is cleaned up as one of orbax
    shutil.rmtree(draft, ignore_errors=True)
    shutil.copytree(source, draft, symlinks=True)
    draft.replace(to)


def check_source(path: str | None) -> None:
    """Raises ConfigError where a run shall begin with weights that are not there."""
    if path is not None and not Path(path).exists():
        raise ConfigError(f'config.init_from={path!r}: no such file or run folder')


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
        ConfigError, DataError: no checkpoint can be used, or `init_from` cannot; the data has other classes than when
            the run began.
    """
    if not processes.from_first(len(checkpoints.steps())):
        folder.cut_metrics(0)
        state = experiment.initial_state()
        if experiment.config['init_from'] is not None:
            state, line = begin_from(experiment.config['init_from'], state, experiment.model)
            say(line)
        return state, 0.0
    with contextlib.suppress(ConfigError):  # where the file is damaged; it is written again
        there, here = folder.preprocessing().class_names, experiment.input.source.class_names
        if there != here:
            raise DataError(f'{folder.path}: {other_classes(there, here)}')
    state, seconds = _newest(experiment, checkpoints)
    # Totals that are not yet zero have not been evaluated: the line of this very step is to come.
    folder.cut_metrics(int(state.step) - bool(state.totals.steps))
    due = int(state.step) - int(state.totals.steps)
    if folder.writes and folder.last_step() != due:
        say(f'{folder.path}/metrics.jsonl: lines up to step {due:,} were lost')
    return state, seconds


def _newest(experiment: Experiment, checkpoints: Checkpoints) -> tuple[TrainState, float]:
    """The newest checkpoint that is whole: process 0 finds it, so that all take the same."""
    like, everywhere = experiment.abstract_state(), experiment.everywhere
    if processes.is_first():
        found = checkpoints.restore_latest(like, everywhere)
        processes.from_first(int(found[0].step))
        return found
    return checkpoints.restore(processes.from_first(0), like, everywhere)


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
    check_source(path)
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
    arrays = {name: devices.put(np.asarray(there[name], here[name].dtype), here[name].sharding) for name in taken}
    merged = unflatten_dict({**here, **arrays}, sep='/')
    new = state.replace(params=merged['params'], batch_stats=merged['batch_stats'])
    head = ', with a new head' if new_head else ''
    trust = '' if found is not None else f'; it {on_trust(model)}'
    return new, f'begun from {path}{head}{trust}'


def _shape(array: Any) -> str:
    return 'not' if array is None else str(list(np.shape(array)))
