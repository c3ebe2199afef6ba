"""A longer run that begins with a checkpoint of a shorter one, which stays as it is."""

import shutil
from pathlib import Path

from jax_resnet.config.completion import complete
from jax_resnet.config.identity import compared
from jax_resnet.errors import ConfigError
from jax_resnet.runs.files import shown
from jax_resnet.runs.run_folder import RunFolder
from jax_resnet.training.checkpoints import Checkpoints, Damaged
from jax_resnet.training.experiment import Experiment

MAY_DIFFER = ('train_for', 'keep_every', 'schedule.')
"""Fields, or groups, of the two configs; of the schedule, the learning rates up to the checkpoint are compared."""


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
    config = complete(source.config())
    there, here = compared(config), compared(experiment.config)
    differences = [
        f'config.{name} is {there.get(name)!r} there, {here.get(name)!r} here'
        for name in sorted({*there, *here})
        if there.get(name) != here.get(name) and not name.startswith(MAY_DIFFER)
    ]
    if differences:
        raise ConfigError(f'--extend-from={shown(source.path)}: {"; ".join(differences)}; these must be the same')
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
        f'--extend-from={shown(source.path)}: has no checkpoint before step {experiment.end:,}, the end of '
        f'config.train_for={experiment.config["train_for"]!r}, that the longer run could begin with'
    )


def _copy(source: Path, to: Path) -> None:
    draft = to.with_name(f'{to.name}.orbax-checkpoint-tmp')  # what a kill leaves is cleaned up as one of orbax
    shutil.rmtree(draft, ignore_errors=True)
    shutil.copytree(source, draft, symlinks=True)
    draft.replace(to)
