"""Submits the jobs of a study as a Slurm job array, by submitit. All machines must share the working folder."""

import ast
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jax_resnet.errors import ConfigError
from jax_resnet.runs.run import FAILED, FINISHED, RUNNING
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


def value(text: str) -> Any:
    """Converts the value of an option: 600, 16.5, True and "['module load cuda']" as in Python; others are texts."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        return text


def executor(logs: Path, options: Mapping[str, Any], cluster: str = 'slurm') -> Any:
    """Returns submitit's executor, which submits jobs. It writes nothing before.

    Args:
        logs: the folder for submitit's files.
        options: arguments of `submitit.AutoExecutor.update_parameters`, such as {'slurm_partition': 'gpu',
            'timeout_min': 600}.
        cluster: 'slurm', or submitit's 'local', which starts processes on this machine.

    Raises:
        ConfigError: submitit or Slurm is missing, or an option is wrong.
    """
    try:
        import submitit
    except ImportError:
        raise ConfigError('--launcher=slurm needs submitit: pip install submitit') from None
    try:
        made = submitit.AutoExecutor(logs, cluster=cluster)
    except (RuntimeError, ValueError) as e:
        raise ConfigError(f'--launcher={cluster}: {_in_a_line(e)}') from None
    for name, given in {'name': 'jax_resnet', 'timeout_min': 24 * 60, **options}.items():
        try:
            made.update_parameters(**{name: given})
        except (AssertionError, NameError, RuntimeError, TypeError, ValueError) as e:
            raise ConfigError(f'--slurm={name}={given}: {_in_a_line(e)}') from None
    return made


def submit(jobs: Sequence[Job], executor: Any) -> list[Any]:
    """Submits the jobs of a study as one array.

    Args:
        jobs: the jobs of the study.
        executor: what `executor` returned.

    Returns:
        The jobs of submitit, in the order of `jobs`.

    Raises:
        ConfigError: a folder holds a run of another config, or Slurm refuses the jobs.
    """
    for job in jobs:
        prepare(job)
    try:
        submitted: list[Any] = executor.map_array(Train(), [str(job.folder.absolute()) for job in jobs])
    except (AssertionError, RuntimeError, TypeError, ValueError) as e:
        raise ConfigError(f'--launcher={executor.cluster}: {_in_a_line(e)}') from None
    return submitted


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
            text = describe(run)
            if run.state == RUNNING:
                text = f'another program is training it, {text}'
            elif run.state != FINISHED:
                text = failed[job] = run.detail if run.state == FAILED else f'see {slurm_job.paths.stderr}'
            print(f'[{len(jobs) - len(waiting)}/{len(jobs)}] {job.name}: {text}', flush=True)
        time.sleep(SECONDS_BETWEEN_CHECKS if waiting else 0)
    return failed


def _in_a_line(error: Exception) -> str:
    return ' '.join(str(error).split()) or type(error).__name__
