"""Submits the jobs of a study as a Slurm job array, by submitit. All machines must share the working folder."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jax_resnet.config.loading import literal
from jax_resnet.errors import ConfigError, reason
from jax_resnet.runs.run import FINISHED, RUNNING
from jax_resnet.runs.run_folder import RunFolder
from jax_resnet.studies.plan import Job
from jax_resnet.studies.progress import read_run

SECONDS_BETWEEN_CHECKS = 5.0


@dataclass(frozen=True)
class Train:
    """What submitit runs in each process of a job. When a job's time is over, submitit queues it again.

    Attributes:
        main: runs a command line, and returns its exit code.
    """

    main: Callable[[Sequence[str]], int]

    def __call__(self, arguments: Sequence[str]) -> None:
        """Trains a run, see `Job.arguments`."""
        code = self.main(['train', *arguments])
        if code:
            raise SystemExit(code)

    def checkpoint(self, arguments: Sequence[str]) -> Any:
        """Returns what submitit runs when the job starts again."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self, arguments)


def executor(logs: Path, options: Mapping[str, str], cluster: str = 'slurm') -> Any:
    """Returns submitit's executor, which submits jobs. It writes nothing before.

    Args:
        logs: the folder for submitit's files.
        options: arguments of `submitit.AutoExecutor.update_parameters`, such as {'slurm_partition': 'gpu',
            'timeout_min': '600'}; values are converted as in Python: "['module load cuda']". Each of the `nodes` of a
            run has `gpus_per_node` GPUs, one by default, and a process for each.
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
        raise ConfigError(f'--launcher={cluster}: {reason(e)}') from None
    gpus = options.get('gpus_per_node', '1')
    defaults = {
        'name': 'jax_resnet',
        'timeout_min': '1440',
        'nodes': '1',
        'gpus_per_node': gpus,
        'tasks_per_node': '1' if gpus == '0' else gpus,
    }
    for name, value in {**defaults, **options}.items():
        try:
            made.update_parameters(**{name: literal(value)})
        except (AssertionError, NameError, RuntimeError, TypeError, ValueError) as e:
            raise ConfigError(f'--slurm={name}={value}: {reason(e)}') from None
    return made


def train_all(jobs: Sequence[Job], executor: Any, train: Train) -> dict[Job, str]:
    """Submits jobs as one array, waits until all have ended, and prints one line for each.

    Args:
        jobs: the jobs.
        executor: what `executor` returned.
        train: what trains a job.

    Returns:
        The reason for each job whose run did not finish.

    Raises:
        ConfigError: Slurm refuses the jobs.
    """
    failed: dict[Job, str] = {}
    for job in jobs:
        try:
            RunFolder(job.folder).open(job.config, job.file, job.changes)
        except (ConfigError, OSError) as e:
            failed[job] = str(e)
    jobs = [job for job in jobs if job not in failed]
    if not jobs:
        return failed
    try:
        submitted = executor.map_array(train, [job.arguments for job in jobs])
    except (AssertionError, RuntimeError, TypeError, ValueError) as e:
        raise ConfigError(f'--launcher={executor.cluster}: {reason(e)}') from None
    number = submitted[0].job_id.partition('_')[0]
    print(f'submitted as job array {number}; Ctrl-C does not stop it', flush=True)
    waiting = dict(zip(jobs, submitted, strict=True))
    while waiting:
        for job in [job for job, slurm_job in waiting.items() if slurm_job.done()]:
            slurm_job, run = waiting.pop(job), read_run(job)
            outcome = str(run)
            if run.state not in (FINISHED, RUNNING):
                outcome = failed[job] = run.failure or f'see {slurm_job.paths.stderr}'
            print(f'[{len(jobs) - len(waiting)}/{len(jobs)}] {job.name}: {outcome}', flush=True)
        time.sleep(SECONDS_BETWEEN_CHECKS if waiting else 0)
    return failed
