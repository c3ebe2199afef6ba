"""A run, read from its run folder or from a file of the results folder."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jax_resnet.config import identity
from jax_resnet.config.fields import Config
from jax_resnet.errors import ConfigError
from jax_resnet.files import shown
from jax_resnet.runs import lock, results_folder
from jax_resnet.runs.run_folder import RunFolder

FINISHED, RUNNING, STOPPED, FAILED, MISSING = STATES = ('finished', 'running', 'stopped', 'failed', 'missing')
"""The states of a run: it has a summary; a program trains it; no program does; its last start failed; no folder."""


@dataclass(frozen=True, eq=False)
class Run:
    """What is known of a run.

    Attributes:
        folder: the run folder, or the file of a result.
        seed: the seed of the run.
        config: the config; None if the folder is missing.
        metrics: one mapping for each evaluation, in order.
        summary: the summary of a finished run; empty for any other run.
        failure: why the run failed, or ''.
        is_running: whether a program was training the run when this was read.
        file: the config file with its argument, or None.
        changes: the fields that were changed in it and on which the result depends, by dotted name; without the seed.
    """

    folder: Path
    seed: int
    config: Config | None
    metrics: Sequence[Mapping[str, Any]]
    summary: Mapping[str, Any]
    failure: str
    is_running: bool = False
    file: str | None = None
    changes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The name of its config; of a run without a config file, its folder's name, or that of the folder of seeds."""
        if self.file is not None:
            return identity.config_name(self.file)
        *_, before, last = ('', *self.folder.resolve().parts)
        return before if last.startswith('seed') else last

    @property
    def state(self) -> str:
        """One of STATES. No other code decides on the state of a run."""
        if self.config is None:
            return MISSING
        if self.summary:
            return FINISHED
        if self.is_running:
            return RUNNING
        return FAILED if self.failure else STOPPED

    @property
    def detail(self) -> str:
        """For a person: how far an unfinished run is, or why it failed; else ''."""
        if self.state in (FINISHED, MISSING):
            return ''
        if self.state == FAILED:
            return self.failure
        if not self.metrics or self.config is None:
            return 'before its first evaluation'
        return f'at epoch {self.metrics[-1]["epoch"]:.1f} of {self.config.length}'

    @property
    def recipe(self) -> dict[str, Any]:
        """The fields on which the result depends, except the seed, by dotted name; empty if the folder is missing."""
        return {} if self.config is None else identity.recipe(self.config)


def read(folder: Path, seed: int | None = None) -> Run:
    """Reads a run from its folder, which may be missing, or from the file of a result.

    Args:
        folder: the run folder; or the file of a result, *.json.
        seed: the seed of the run, needed if the folder may be missing.

    Raises:
        ConfigError: a file cannot be read.
    """
    if folder.suffix == '.json':
        return _of_result(folder)
    files = RunFolder(folder)
    if not files.exists():
        return Run(folder, seed or 0, None, [], {}, '')
    is_running = lock.is_held(folder)  # before the summary: if the run ends now, it counts as finished
    origin = files.origin()
    config = origin['fields']
    return Run(
        folder,
        config.seed if seed is None else seed,
        config,
        files.metrics(),
        files.summary() or {},
        files.failure() or '',
        is_running,
        origin['file'],
        identity.changed_recipe(origin['changes'], config),
    )


def _of_result(path: Path) -> Run:
    result = results_folder.read(path)
    columns = result['metrics']
    try:
        lines = [dict(zip(columns, line, strict=True)) for line in zip(*columns.values(), strict=True)]
    except ValueError:
        raise ConfigError(f'{shown(path)} is damaged: metrics: columns of different lengths') from None
    config = result['fields']
    file, changes = result['file'], result['changes']
    return Run(path, config.seed, config, lines, result['summary'], '', file=file, changes=changes)
