"""What has become of a run: this module alone decides what counts as finished."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jax_resnet.config.durations import Duration
from jax_resnet.errors import ConfigError
from jax_resnet.runs import results_folder
from jax_resnet.runs.run_folder import RunFolder
from jax_resnet.studies.plan import Run

FINISHED, MISSING, STOPPED, RUNNING, FAILED = 'finished', 'missing', 'stopped', 'running', 'failed'


@dataclass(frozen=True)
class State:
    """A run's state: its `name`, one of the above, and what there is to say."""

    name: str
    detail: str = ''


def state_of(run: Run) -> State:
    """The state of a run, from its folder, or from the results: one of equal config and seed is as good.

    Raises:
        ConfigError: a damaged file among the results.
    """
    state = _of_folder(run)
    if state.name in (FINISHED, RUNNING):
        return state
    result = results_folder.find(run.config)
    return (
        state if result is None else State(FINISHED, f'{_score(results_folder.read(result)["summary"])}, in {result}')
    )


def _of_folder(run: Run) -> State:
    """One that holds a run of another config is a failure."""
    folder = RunFolder(run.folder)
    if not (folder.path / 'config.json').exists():
        return State(MISSING)
    try:
        folder.check_same(run.config)
        summary = folder.summary()
    except ConfigError as e:
        return State(FAILED, str(e))
    if summary is not None:
        return State(FINISHED, _score(summary))
    try:
        with folder.locked():
            pass
    except ConfigError:
        return State(RUNNING, _progress(folder))
    reason = folder.failure()
    return State(STOPPED, _progress(folder)) if reason is None else State(FAILED, reason)


def prepare(run: Run) -> None:
    """Makes the folder of a run that is about to be trained.

    Raises:
        ConfigError: the folder holds a run of another config.
    """
    folder = RunFolder(run.folder)
    folder.open(run.config)
    if run.is_rehearsal:
        folder.write_text('rehearsal.txt', 'A rehearsal: its numbers say nothing of the experiment.\n')


def _score(summary: Mapping[str, Any]) -> str:
    return f'{summary["final_test_error"]:.2f} % test error, {summary["seconds"]:,.0f} s'


def _progress(folder: RunFolder) -> str:
    lines = folder.metrics()
    if not lines:
        return 'before its first evaluation'
    whole = Duration.parse(folder.config()['train_for'])
    return f'at epoch {lines[-1]["epoch"]:.1f} of {float(whole.amount):g} {whole.unit}'
