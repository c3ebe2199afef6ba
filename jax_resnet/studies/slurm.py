"""Runs of a study as a Slurm job array, through submitit: they need a folder that all machines share, nothing else."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jax_resnet.errors import ConfigError
from jax_resnet.studies.job import train
from jax_resnet.studies.plan import Run
from jax_resnet.studies.state import FINISHED, prepare, state_of

SECONDS_BETWEEN_LOOKS = 5.0


def submit(runs: Sequence[Run], logs: Path, options: Mapping[str, Any], cluster: str = 'slurm') -> list[Any]:
    """Submits the runs as one job array.

    Args:
        runs: each a job.
        logs: the folder for submitit's files.
        options: of `submitit.AutoExecutor.update_parameters`, such as {'slurm_partition': 'gpu', 'timeout_min': 600}.
        cluster: 'slurm', or submitit's 'local', which starts processes on this machine.

    Returns:
        submitit's jobs, in the order of `runs`.

    Raises:
        ConfigError: no submitit, no Slurm, or an option that it does not have.
    """
    try:
        import submitit
    except ImportError:
        raise ConfigError("--launcher=slurm needs submitit: pip install 'jax_resnet[slurm]'") from None
    for run in runs:
        prepare(run)
    try:
        executor = submitit.AutoExecutor(logs, cluster=cluster)
        executor.update_parameters(**{'name': 'jax_resnet', 'timeout_min': 24 * 60, **options})
    except (RuntimeError, NameError, TypeError, ValueError) as e:
        raise ConfigError(f'--launcher={cluster}: {" ".join(str(e).split())}') from None
    return executor.map_array(train, [str(run.folder.absolute()) for run in runs])


def wait(runs: Sequence[Run], jobs: Sequence[Any]) -> dict[Run, str]:
    """Waits until all jobs have ended, with a line for each; returns why, of each run that is not finished then."""
    failed: dict[Run, str] = {}
    waiting = dict(zip(runs, jobs, strict=True))
    while waiting:
        for run in [run for run, job in waiting.items() if job.done()]:
            job, state = waiting.pop(run), state_of(run)
            if state.name != FINISHED:
                failed[run] = state.detail if state.name == 'failed' else f'see {job.paths.stderr}'
            print(f'[{len(runs) - len(waiting)}/{len(runs)}] {run.name}: {failed.get(run) or state.detail}', flush=True)
        time.sleep(SECONDS_BETWEEN_LOOKS if waiting else 0)
    return failed
