"""How a run begins with other weights or with a shorter run's state. `train` restores its own last checkpoint."""

import contextlib
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from jax_resnet import models
from jax_resnet.config import schedule
from jax_resnet.config.fields import Schedule
from jax_resnet.config.identity import differences
from jax_resnet.data.preprocessing import Normalization
from jax_resnet.data.sources import folded, other_classes
from jax_resnet.errors import ConfigError, DataError
from jax_resnet.files import local
from jax_resnet.hosts import devices
from jax_resnet.runs.run_folder import RunFolder
from jax_resnet.training import hub
from jax_resnet.training.load import check_weights, read_network
from jax_resnet.training.setup import Input, Setup, check_pictures
from jax_resnet.training.state import TrainState

MAY_DIFFER = (
    'train_for',
    'data_seed',
    *(f'schedule.{name}' for name in Schedule.__struct_fields__ if name != 'head_factor'),
)
"""Fields in which a longer run may differ from a shorter one. `extend` compares learning rates and data seeds."""


def check_used(starts: Sequence[Mapping[str, Any]], used: Mapping[str, bool], deterministic: bool) -> str:
    """Returns a line if a run continues with other parts of its platform than at its last start, or ''.

    `starts` are those in `environment.json`, `used` is `Backend.used` of this start.

    Raises:
        ConfigError: `deterministic`, and they differ.
    """
    before = starts[-1].get('platform', used) if starts else used
    if before == used:
        return ''
    line = f'the last start used {before}, and this one uses {dict(used)}, so results can differ by rounding'
    if deterministic:
        raise ConfigError(
            f'config.precision.deterministic=True: {line}; continue with the same machine, versions and options'
        )
    return line


def check_data(folder: RunFolder, data: Input, advice: str) -> None:
    """Raises DataError if a run has other classes than the data, or ConfigError if it has other pictures."""
    with contextlib.suppress(ConfigError):  # a damaged file will be written again
        before = folder.preprocessing().class_names
        if tuple(before) != tuple(data.source.class_names):
            raise DataError(f'{folder.path}: {other_classes(before, data.source.class_names)}')
    check_pictures(folder.path, data, data.config.dataset.splits, advice)


def begin_from(
    path: str,
    state: TrainState,
    model: models.ResNet,
    class_names: Sequence[str] = (),
    normalize: Normalization | None = None,
) -> tuple[TrainState, str]:
    """Initializes a state with the parameters and BatchNorm statistics of a trained network.

    If that network has another number of classes, the head keeps its initialization. The second result is a log line,
    which says so, or that its classes or its normalization differ from those of the data, if these are given.

    Raises:
        ConfigError: `path` does not exist, or has another network; the message names the first difference.
        DataError: the file cannot be read.
    """
    if not hub.is_name(path) and not local(path).exists():
        raise ConfigError(f'config.init_from={path!r}: no such file or run folder')
    file, variables = read_network(path)
    params, head = variables.setdefault('params', {}), state.params['head']
    has_new_head = jax.tree.map(np.shape, params.get('head')) != jax.tree.map(np.shape, head)
    if has_new_head:
        params['head'] = head
    expected = jax.eval_shape(models.unstack, state.variables)
    assumed = check_weights(f'config.init_from={path!r}', variables, file.network, model, expected)
    new = jax.tree.map(
        lambda x, like: devices.put(np.asarray(x, like.dtype), like.sharding), models.stack(variables), state.variables
    )
    line = f'initialized from {file.path}'
    before = file.preprocessing.class_names if file.preprocessing else ()
    others = [pair for pair in zip(before, class_names, strict=False) if folded(pair[0]) != folded(pair[1])]
    if has_new_head:
        line += ', with a new head'
    elif others:
        line += ', with its head, which has learned other classes: {!r}, where the data has {!r}'.format(*others[0])
    if file.preprocessing is not None and normalize is not None:
        was, is_now = (
            np.round([np.broadcast_to(x, one.mean.shape[-1:] or 1) for x in one.by_channel()], 3).tolist()
            for one in (Normalization(file.preprocessing.mean, file.preprocessing.std), normalize)
        )
        if not np.allclose(was, is_now, atol=0.02):
            line += f'; its images had the mean and deviation {was}, those of this run have {is_now}'
    return state.replace(**new), f'{line}; it {assumed}' if assumed else line


class Extension(NamedTuple):
    """How a run extends a shorter one: its folder, the steps of its checkpoints to copy, and a line for the log."""

    source: RunFolder
    steps: list[int]
    line: str


def find_extension(given: str | Path, folder: RunFolder, setup: Setup) -> Extension:
    """Finds the checkpoints of a shorter run, with which a longer run begins.

    If the learning rates up to this step are the same, the longer run has the same result as a run from the start: bit
    for bit, if both run the same program on the same devices with the same versions; else up to rounding.

    Args:
        given: the folder of the shorter run, whose last checkpoint is taken; or RUN@STEP.
        folder, setup: those of the longer run.

    Raises:
        ConfigError: there is no run folder, a program trains in it, it has no such checkpoint before the end, or it
            differs in its pictures or in more than MAY_DIFFER.
        DataError: it has other classes.
    """
    config, clock, end = setup.data.config, setup.clock, setup.end
    shorter, _, digits = str(given).rpartition('@')
    step = int(digits) if shorter and digits.isdecimal() else None
    source = RunFolder(given if step is None else shorter)
    name = f'--extend-from={source.path}'
    if source.path.resolve() == folder.path.resolve():
        raise ConfigError(f'{name}: must be another folder than --workdir')
    recorded = source.config()
    if source.is_locked():
        raise ConfigError(f'{name}: a program trains in this folder; wait until it ends')
    different = '; '.join(differences(recorded, config, may_differ=MAY_DIFFER))
    if different:
        raise ConfigError(f'{name}: {different}; these must be the same')
    check_data(source, setup.data, 'extend another run')
    kept = [saved for saved in source.saved_steps() if saved < end]
    if not kept or step not in (None, *kept):
        which = f'before step {end:,}, the end of this run' if step is None else f'at step {step:,}'
        has = f'; it has those at {", ".join(f"{saved:,}" for saved in kept)}' if kept else ''
        raise ConfigError(f'{name}: has no checkpoint {which}{has}')
    steps = kept[-2:] if step is None else [step]  # if the last one is damaged, the other serves
    begins = f'begins with step {steps[-1]:,} of {source.path}'
    shorter_one = schedule.create(recorded.schedule, clock, clock.steps(recorded.train_for))
    old, new = (np.broadcast_to(one.rate(np.arange(steps[-1])), steps[-1]) for one in (shorter_one, setup.schedule))
    if recorded.stream_seed != config.stream_seed:
        seeds = f'{recorded.stream_seed} in the shorter run, {config.stream_seed} in this one'
        begins += f'; a run from the start would differ: the data seed is {seeds}'
    rates = 'the learning rates up to there are the same'
    for k in np.flatnonzero(old != new)[:1]:
        rate = f'the learning rate of step {k + 1:,} is {old[k]:g} in the shorter run, {new[k]:g} in this one'
        rates = f'a run from the start would differ: {rate}'
    return Extension(source, steps, f'{begins}; {rates}')


def extend(extension: Extension, folder: RunFolder) -> None:
    """Copies the checkpoints of a shorter run, and what it has written, into the folder of a longer run."""
    source = extension.source
    for file in ('preprocessing.npz', 'environment.json', 'metrics.jsonl'):
        if (source.path / file).exists():
            shutil.copyfile(source.path / file, folder.path / file)
    for saved in extension.steps:
        # orbax removes the draft at the next start if this process is killed
        draft = folder.checkpoints / f'{saved}.orbax-checkpoint-tmp'
        shutil.rmtree(draft, ignore_errors=True)
        shutil.copytree(source.checkpoints / str(saved), draft)
        draft.replace(folder.checkpoints / str(saved))
