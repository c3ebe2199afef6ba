"""The state that a start of a run begins with: of its last checkpoint, or before the first step."""

from collections.abc import Callable

from jax_resnet.runs.run_folder import RunFolder
from jax_resnet.training.checkpoints import Checkpoints
from jax_resnet.training.experiment import Experiment
from jax_resnet.training.state import TrainState
from jax_resnet.training.transfer import begin_from


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
            state, line = begin_from(experiment.config['init_from'], state, experiment.model)
            say(line)
        return state, 0.0
    state, seconds = checkpoints.restore_latest(experiment.abstract_state(), experiment.everywhere)
    # Totals that are not yet zero have not been evaluated: the line of this very step is to come.
    folder.cut_metrics(int(state.step) - bool(state.totals.steps))
    due = int(state.step) - int(state.totals.steps)
    if folder.last_step() != due:
        say(f'{folder.path}/metrics.jsonl: lines up to step {due:,} were lost')
    return state, seconds
