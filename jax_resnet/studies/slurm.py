"""Submits the jobs of a study as a Slurm job array, by submitit. All machines must share the working folder."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jax_resnet.errors import ConfigError
from jax_resnet.runs.run import FAILED, FINISHED
from jax_resnet.studies.job import train
from jax_resnet.studies.plan import Job
from jax_resnet.studies.state import describe, prepare, run_of

SECONDS_BETWEEN_CHECKS = 5.0


class Train:
    """What submitit runs in each process of a job. When a job's time is over, submitit queues the same job again."""

    def __call__(self, folder: str) -> None:
        """Trains the run of a folder."""
        train(folder)

    def checkpoint(self, folder: str) -> Any:
        """Returns what submitit runs when the job starts again."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self, folder)


def parameters(nodes: int, gpus_per_node: int) -> dict[str, int]:
    """Returns submitit's parameters for runs on several hosts, one process for each GPU. Raises ConfigError below 1."""
    for flag, value in (('--nodes', nodes), ('--gpus-per-node', gpus_per_node)):
        if value < 1:
            raise ConfigError(f'{flag}={value}: must be at least 1')
    return {'nodes': nodes, 'gpus_per_node': gpus_per_node, 'tasks_per_node': gpus_per_node}


def submit(jobs: Sequence[Job], logs: Path, options: Mapping[str, Any], cluster: str = 'slurm') -> list[Any]:
    """Submits the jobs of a study as one array.

    Args:
        jobs: the jobs of the study.
        logs: the folder for submitit's files.
        options: arguments of `submitit.AutoExecutor.update_parameters`, such as {'slurm_partition': 'gpu',
            'timeout_min': 600}.
        cluster: 'slurm', or submitit's 'local', which starts processes on this machine.

    Returns:
        The jobs of submitit, in the order of `jobs`.

    Raises:
        ConfigError: submitit or Slurm is missing; an option is wrong; or a folder holds a run of another config.
    """
    try:
        import submitit
    except ImportError:
        raise ConfigError('--launcher=slurm needs submitit: pip install submitit') from None
    for job in jobs:
        prepare(job)
    try:
        executor = submitit.AutoExecutor(logs, cluster=cluster)
        executor.update_parameters(**{'name': 'jax_resnet', 'timeout_min': 24 * 60, **options})
    except (RuntimeError, NameError, TypeError, ValueError) as e:
        raise ConfigError(f'--launcher={cluster}: {" ".join(str(e).split())}') from None
    return executor.map_array(Train(), [str(job.folder.absolute()) for job in jobs])


def wait(jobs: Sequence[Job], submitted: Sequence[Any]) -> dict[Job, str]:
    """Waits until all jobs have ended and prints one line for each.

    Returns:
        The reason for each job whose run did not finish.
    """
    failed: dict[Job, str] = {}
    waiting = dict(zip(jobs, submitted, strict=True))
    while waiting:
        for job in [job for job, slurm_job in waiting.items() if slurm_job.done()]:
            slurm_job, run = waiting.pop(job), run_of(job)
            if run.state != FINISHED:
                failed[job] = run.detail if run.state == FAILED else f'see {slurm_job.paths.stderr}'
            print(
                f'[{len(jobs) - len(waiting)}/{len(jobs)}] {job.name}: {failed.get(job) or describe(run)}', flush=True
            )
        time.sleep(SECONDS_BETWEEN_CHECKS if waiting else 0)
    return failed
