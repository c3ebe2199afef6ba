"""The state of a job: reads its run from the run folder or from the results."""

from jax_resnet.errors import ConfigError
from jax_resnet.runs import results_folder
from jax_resnet.runs import run as runs
from jax_resnet.runs.run import FINISHED, RUNNING, Run
from jax_resnet.runs.run_folder import RunFolder
from jax_resnet.studies.plan import Job


def run_of(job: Job, reuses_results: bool = False) -> Run:
    """Reads the run of a job. If its folder is damaged or holds a run of another config, the run counts as failed.

    Args:
        job: a job of a study.
        reuses_results: whether a file of results/ with the same config and seed replaces an unfinished run.

    Raises:
        ConfigError: a file in the results folder is damaged.
    """
    try:
        run = runs.read(job.folder, job.seed)
        if run.config is not None:
            RunFolder(job.folder).check_same(job.config)
    except ConfigError as e:
        run = Run(job.folder, job.seed, job.config, failure=str(e))
    if run.state in (FINISHED, RUNNING) or not reuses_results:
        return run
    result = results_folder.find(job.config)
    return run if result is None else runs.read(result)


def describe(run: Run) -> str:
    """Describes a run: its error if it is finished, else how far it is or why it failed."""
    if run.state != FINISHED:
        return run.detail
    place = f', in {run.folder}' if run.folder.suffix == '.json' else ''
    return f'{run.summary["final_test_error"]:.2f} % test error, {run.summary["seconds"]:,.0f} s{place}'
