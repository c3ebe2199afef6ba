"""Begins a longer run with the last checkpoint of a shorter one."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jax_resnet.config.completion import flatten
from jax_resnet.config.identity import differences
from jax_resnet.errors import ConfigError
from jax_resnet.files import shown
from jax_resnet.runs.run_folder import RunFolder
from jax_resnet.training.checkpoints import Checkpoints, Damaged
from jax_resnet.training.experiment import Experiment
from jax_resnet.training.transfer import check_classes

_OF_RATE = ('name', 'learning_rate', 'drop_at', 'factor', 'warmup_for', 'warmup_learning_rate', 'warmup_shape')
MAY_DIFFER = ('train_for', 'keep_every', *(f'schedule.{name}' for name in _OF_RATE))
"""Fields in which a longer run may differ from a shorter one. `extend` compares their learning rates."""

_ROUNDING = ('parallel.', 'gpu.', 'memory.rematerialize', 'precision.deterministic')
"""Fields and groups of fields that change a result by rounding."""


def extended(
    start: Mapping[str, Any], experiment: Experiment, folder: RunFolder, source: str | Path | None
) -> dict[str, Any]:
    """Calls `extend` if a shorter run is given and the folder has no checkpoint. Raises ConfigError as `extend`.

    Returns `start`, an entry of environment.json, with the line of `extend` if it was called.
    """
    if not folder.writes or source is None or any(path.name.isdigit() for path in folder.checkpoints.glob('*')):
        return dict(start)
    line = extend(experiment, folder, RunFolder(source), start)
    print(line)
    return {**start, 'extension': line}


def extend(experiment: Experiment, folder: RunFolder, source: RunFolder, start: Mapping[str, Any]) -> str:
    """Copies a run's last checkpoint, and its lines of metrics up to this step, into the folder of a longer run.

    If the learning rates up to this step are the same, the longer run has the same result as a run from the start: bit
    for bit, if both run the same program on the same devices with the same versions; else up to rounding. The
    evaluation at the end of the shorter run resets the totals. If the longer run has no evaluation at that step, the
    checkpoint before is copied instead.

    Args:
        experiment: the experiment of the longer run.
        folder: the folder of the longer run, without a checkpoint. The caller holds its lock.
        source: the folder of the shorter run.
        start: the entry of environment.json for this start.

    Returns:
        A line that says what was copied, and whether the result will be that of a run from the start.

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
    begins = f'begins with step {step:,} of {shown(source.path)}: the result'
    for k in range(step):
        old, new = shorter.schedule.rate(k), experiment.schedule.rate(k)
        if old != new:
            return (
                f'{begins} differs from a run from the start, as the learning rate of step {k + 1:,} is {old:g} in the '
                f'shorter run, {new:g} in this one'
            )
    starts, same = source.starts(), ('device', 'versions', 'git_commit')
    is_exact = _has_same_program(experiment, shorter, config) and bool(starts)
    is_exact &= all(entry.get(name) == start[name] for entry in starts for name in same)
    return f'{begins} is that of a run from the start, {"bit for bit" if is_exact else "up to rounding"}'


def _has_same_program(experiment: Experiment, shorter: Experiment, config: Mapping[str, Any]) -> bool:
    """Whether the shorter run, with `config`, ran the same program as the longer one, and it always rounds alike."""
    fields = [
        {name: value for name, value in flatten(one).items() if name.startswith(_ROUNDING)}
        for one in (config, experiment.config)
    ]
    programs = [one.training_backend.compiler_options for one in (shorter, experiment)]
    is_cpu = experiment.mesh.devices.flat[0].platform == 'cpu'
    is_deterministic = is_cpu or experiment.config['precision']['deterministic']
    return bool(fields[0] == fields[1] and programs[0] == programs[1] and is_deterministic)


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
