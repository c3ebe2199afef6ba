"""Runs as reports and studies see them, read from a run folder, or from that of a result."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jax_resnet.config import identity
from jax_resnet.config.fields import Config
from jax_resnet.errors import ConfigError
from jax_resnet.files import local
from jax_resnet.runs.run_folder import RunFolder

FINISHED, RUNNING, STOPPED, FAILED, MISSING = ('finished', 'running', 'stopped', 'failed', 'missing')
"""The states of a run: it has a summary; a program trains it; no program does; its last start failed; no folder."""

STUDY = 'study.json'
"""The file in a study's folder that describes it, see `schemas.Study`."""


@dataclass(frozen=True, eq=False)
class Run:
    """What is known of a run.

    Attributes:
        folder: the run folder.
        seed: the seed of the run.
        config: the config; None if the folder is missing.
        metrics: one mapping for each evaluation, in order, see `schemas.Line`.
        summary: the summary of a finished run; empty for any other run.
        starts: one mapping for each start of the run, see `schemas.Start`.
        file: the config file with its argument, or None.
        changes: the fields that were changed in it and on which the result depends, by dotted name; without the seed.
        failure: why the run failed, or ''.
        is_running: whether a program was training the run when this was read.
    """

    folder: Path
    seed: int
    config: Config | None = None
    metrics: Sequence[Mapping[str, Any]] = ()
    summary: Mapping[str, Any] = field(default_factory=dict)
    starts: Sequence[Mapping[str, Any]] = ()
    file: str | None = None
    changes: Mapping[str, Any] = field(default_factory=dict)
    failure: str = ''
    is_running: bool = False

    @property
    def name(self) -> str:
        """The name of its config; of a run without a config file, its folder's name, or that of the folder of seeds."""
        if self.file is not None:
            return identity.config_name(self.file)
        *_, before, last = ('', *self.folder.resolve().parts)
        return before if last.startswith('seed') else last

    @property
    def state(self) -> str:
        """No other code decides on the state of a run."""
        if self.config is None:
            return MISSING
        if self.summary:
            return FINISHED
        if self.is_running:
            return RUNNING
        return FAILED if self.failure else STOPPED

    def __str__(self) -> str:
        """For a person: the state; and the error of a finished run, how far another one is, or why it failed."""
        if self.state == MISSING or self.config is None:
            return MISSING
        if self.state == FINISHED:
            about = f'{self.summary["final_test_error"]:.2f} % test error, {self.summary["seconds"]:,.0f} s'
        elif self.state == FAILED:
            about = self.failure
        elif self.metrics:
            about = f'at epoch {self.metrics[-1]["epoch"]:.1f} of {self.config.length}'
        else:
            about = 'before its first evaluation'
        return f'{self.state}, {about}'

    @property
    def recipe(self) -> dict[str, Any]:
        """The fields on which the result depends, except the seed, by dotted name; empty if the folder is missing."""
        return {} if self.config is None else identity.recipe(self.config)


def read(path: Path, seed: int | None = None) -> Run:
    """Reads a run from its folder, which may be missing.

    Args:
        path: the run folder.
        seed: the seed of the run, needed if the folder may be missing.

    Raises:
        ConfigError: a file cannot be read.
    """
    folder = RunFolder(path)
    if not folder.exists():
        return Run(path, seed or 0)
    is_running = folder.is_locked()  # before the summary: if the run ends now, it counts as finished
    origin = folder.origin()
    config = origin['fields']
    return Run(
        path,
        config.seed,
        config,
        folder.metrics(),
        folder.summary() or {},
        folder.starts(),
        origin['file'],
        {name: value for name, value in identity.recipe(config).items() if name in origin['changes']},
        folder.failure() or '',
        is_running,
    )


def find(paths: Iterable[str | Path]) -> tuple[list[Path], list[Path]]:
    """Finds the studies and the runs in these folders and their subfolders. A study's own folder means this study only.

    Below it lie other studies: the same with changes, or its rehearsal.

    Returns:
        The description files of studies, and the run folders. Each path is listed once, in the order of the search.

    Raises:
        ConfigError: a path is not a folder, or has neither runs nor studies.
    """
    studies: list[Path] = []
    runs: list[Path] = []
    for path in map(local, paths):
        if not path.is_dir():
            raise ConfigError(
                f'{path}: no such folder; must be a run folder, or a folder that contains runs or studies'
            )
        described = [path / STUDY] if (path / STUDY).exists() else sorted(path.rglob(STUDY))
        configs = sorted(path.rglob('config.json'))
        if not described and not configs:
            raise ConfigError(f'{path}: has neither runs nor studies')
        studies += described
        runs += [config.parent for config in configs]
    once = ({path.resolve(): path for path in [*found, *found[::-1]]} for found in (studies, runs))
    listed, folders = ([*found.values()] for found in once)  # each at its first place, by its first name
    return listed, folders
