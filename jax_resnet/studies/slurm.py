"""Jobs of a study as a Slurm job array, through submitit: they need a folder that all machines share, nothing else."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jax_resnet.errors import ConfigError
from jax_resnet.runs.run import FAILED, FINISHED
from jax_resnet.studies.job import train
from jax_resnet.studies.plan import Job
from jax_resnet.studies.state import describe, prepare, run_of

SECONDS_BETWEEN_LOOKS = 5.0


class Train:
    """What submitit runs in each process of a job; a job whose time is over goes on as the same job, queued again."""

    def __call__(self, folder: str) -> None:
        """Trains the run of a folder."""
        train(folder)

    def checkpoint(self, folder: str) -> Any:
        """What is to run when the job begins again."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self, folder)


def parameters(nodes: int, gpus_per_node: int) -> dict[str, int]:
    """Those of submitit for runs of several hosts, with a process for each GPU. Raises ConfigError for none."""
    for flag, value in (('--nodes', nodes), ('--gpus-per-node', gpus_per_node)):
        if value < 1:
            raise ConfigError(f'{flag}={value}: must be at least 1')
    return {'nodes': nodes, 'gpus_per_node': gpus_per_node, 'tasks_per_node': gpus_per_node}


def submit(jobs: Sequence[Job], logs: Path, options: Mapping[str, Any], cluster: str = 'slurm') -> list[Any]:
    """Submits the jobs of a study as one array.

    Args:
        jobs: of the study.
        logs: the folder for submitit's files.
        options: of `submitit.AutoExecutor.update_parameters`, such as {'slurm_partition': 'gpu', 'timeout_min': 600}.
        cluster: 'slurm', or submitit's 'local', which starts processes on this machine.

    Returns:
        submitit's jobs, in the order of `jobs`.

    Raises:
        ConfigError: no submitit, no Slurm, or an option that it does not have.
    """
    try:
        import submitit
    except ImportError:
        raise ConfigError("--launcher=slurm needs submitit: pip install 'jax_resnet[slurm]'") from None
    for job in jobs:
        prepare(job)
    try:
        executor = submitit.AutoExecutor(logs, cluster=cluster)
        executor.update_parameters(**{'name': 'jax_resnet', 'timeout_min': 24 * 60, **options})
    except (RuntimeError, NameError, TypeError, ValueError) as e:
        raise ConfigError(f'--launcher={cluster}: {" ".join(str(e).split())}') from None
    return executor.map_array(Train(), [str(job.folder.absolute()) for job in jobs])


def wait(jobs: Sequence[Job], submitted: Sequence[Any]) -> dict[Job, str]:
    """Waits until all have ended, with a line for each; returns why, of each job whose run is not finished then."""
    failed: dict[Job, str] = {}
    waiting = dict(zip(jobs, submitted, strict=True))
    while waiting:
        for job in [job for job, its in waiting.items() if its.done()]:
            its, run = waiting.pop(job), run_of(job)
            if run.state != FINISHED:
                failed[job] = run.detail if run.state == FAILED else f'see {its.paths.stderr}'
            print(
                f'[{len(jobs) - len(waiting)}/{len(jobs)}] {job.name}: {failed.get(job) or describe(run)}', flush=True
            )
        time.sleep(SECONDS_BETWEEN_LOOKS if waiting else 0)
    return failed
