"""Begins a longer run with the last checkpoint of a shorter one."""

import contextlib
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from jax_resnet.config import schedule
from jax_resnet.config.fields import Schedule
from jax_resnet.config.identity import differences
from jax_resnet.errors import ConfigError
from jax_resnet.files import shown
from jax_resnet.runs.run_folder import RunFolder
from jax_resnet.training.checkpoints import Checkpoints, Damaged
from jax_resnet.training.experiment import Experiment
from jax_resnet.training.transfer import check_classes

MAY_DIFFER = ('train_for', *(f'schedule.{name}' for name in Schedule.__struct_fields__ if name != 'head_factor'))
"""Fields in which a longer run may differ from a shorter one. `extend` compares their learning rates."""


def extended(
    start: Mapping[str, Any], experiment: Experiment, folder: RunFolder, source: str | Path | None
) -> dict[str, Any]:
    """Calls `extend` if a shorter run is given and the folder has no checkpoint. Raises ConfigError as `extend`.

    Returns `start`, an entry of environment.json, with the line of `extend` if it was called.
    """
    if not folder.writes or source is None or any(path.name.isdigit() for path in folder.checkpoints.glob('*')):
        return dict(start)
    line = extend(experiment, folder, RunFolder(source))
    print(line)
    return {**start, 'extension': line}


def extend(experiment: Experiment, folder: RunFolder, source: RunFolder) -> str:
    """Copies a run's newest checkpoint, and its lines of metrics up to this step, into the folder of a longer run.

    If the learning rates up to this step are the same, the longer run has the same result as a run from the start: bit
    for bit, if both run the same program on the same devices with the same versions; else up to rounding.

    Args:
        experiment: the experiment of the longer run.
        folder: the folder of the longer run, without a checkpoint. The caller holds its lock.
        source: the folder of the shorter run.

    Returns:
        A line that says what was copied, and whether the learning rates are the same.

    Raises:
        ConfigError: `source` is no run folder, has no usable checkpoint, or differs in more than MAY_DIFFER.
        DataError: the data has other classes.
    """
    if source.path.resolve() == folder.path.resolve():
        raise ConfigError(f'--extend-from={shown(source.path)}: must be another folder than --workdir')
    config = source.config()
    different = '; '.join(differences(config, experiment.config, may_differ=MAY_DIFFER))
    if different:
        raise ConfigError(f'--extend-from={shown(source.path)}: {different}; these must be the same')
    check_classes(source, experiment)
    with source.locked():
        step = _newest_step(experiment, source)
        for line in source.metrics():
            if folder.last_step() < line['step'] <= step:
                folder.add_metrics(line)
        for entry in source.starts()[len(folder.starts()) :]:
            folder.record_start(entry['step'], entry)
        _copy(source.checkpoints / str(step), folder.checkpoints / str(step))
    shorter = schedule.create(config.schedule, experiment.clock, experiment.clock.steps(config.train_for))
    old, new = (np.broadcast_to(one.rate(np.arange(step)), step) for one in (shorter, experiment.schedule))
    begins = f'begins with step {step:,} of {shown(source.path)}'
    for k in np.flatnonzero(old != new)[:1]:
        return (
            f'{begins}; a run from the start would differ: the learning rate of step {k + 1:,} is {old[k]:g} in the '
            f'shorter run, {new[k]:g} in this one'
        )
    return f'{begins}; the learning rates up to there are the same'


def _newest_step(experiment: Experiment, source: RunFolder) -> int:
    """The step of the newest undamaged checkpoint before the end of the longer run."""
    checkpoints = Checkpoints(source.checkpoints, read_only=True)
    try:
        for step in reversed(checkpoints.steps()):
            if step < experiment.end:
                with contextlib.suppress(Damaged):
                    checkpoints.restore(step, experiment.abstract_state(), experiment.everywhere)
                    return step
    finally:
        checkpoints.close()
    raise ConfigError(
        f'--extend-from={shown(source.path)}: has no checkpoint before step {experiment.end:,}, the end of this run'
    )


def _copy(source: Path, target: Path) -> None:
    draft = target.with_name(f'{target.name}.orbax-checkpoint-tmp')  # orbax removes it if this process is killed
    shutil.rmtree(draft, ignore_errors=True)
    shutil.copytree(source, draft, symlinks=True)
    draft.replace(target)
