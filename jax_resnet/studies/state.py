"""What has become of a run: this module alone decides what counts as finished."""

from dataclasses import dataclass

from jax_resnet.errors import ConfigError
from jax_resnet.studies.plan import Run
from jax_resnet.training.durations import Duration
from jax_resnet.training.run_folder import RunFolder

FINISHED, MISSING, STOPPED, RUNNING, FAILED = 'finished', 'missing', 'stopped', 'running', 'failed'


@dataclass(frozen=True)
class State:
    """A run's state: its `name`, one of the above, and what there is to say."""

    name: str
    detail: str = ''


def state_of(run: Run) -> State:
    """The state of a run, from its folder; one that holds a run of another config is a failure."""
    folder = RunFolder(run.folder)
    if not (folder.path / 'config.json').exists():
        return State(MISSING)
    try:
        folder.check_same(run.config)
        summary = folder.summary()
    except ConfigError as e:
        return State(FAILED, str(e))
    if summary is not None:
        return State(FINISHED, f'{summary["final_test_error"]:.2f} % test error, {summary["seconds"]:,.0f} s')
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


def _progress(folder: RunFolder) -> str:
    lines = folder.metrics()
    if not lines:
        return 'before its first evaluation'
    whole = Duration.parse(folder.config()['train_for'])
    return f'at epoch {lines[-1]["epoch"]:.1f} of {float(whole.amount):g} {whole.unit}'
