"""Runs, as their folders tell them, or files of the results folder: this module alone knows what lies in either."""

import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jax_resnet.config import identity
from jax_resnet.errors import ConfigError

FINISHED, FAILED, UNFINISHED, MISSING = 'finished', 'failed', 'unfinished', 'missing'


@dataclass(frozen=True, eq=False)
class Run:
    """A run.

    Attributes:
        folder: where it lies; or the file of a result.
        seed: of the run.
        config: by dotted name; empty where the folder is missing.
        metrics: a mapping an evaluation, in order.
        summary: of a finished run, else empty.
        failure: why it failed, or ''.
        is_rehearsal: whether a study trained it as one.
    """

    folder: Path
    seed: int
    config: Mapping[str, Any]
    metrics: Sequence[Mapping[str, Any]]
    summary: Mapping[str, Any]
    failure: str
    is_rehearsal: bool

    @property
    def state(self) -> str:
        """'finished', 'failed', 'unfinished' or 'missing'."""
        if not self.config:
            return MISSING
        if self.summary:
            return FINISHED
        return FAILED if self.failure else UNFINISHED

    @property
    def detail(self) -> str:
        """What a person wants to know of a run that is not finished."""
        reached = f'at epoch {self.metrics[-1]["epoch"]:.1f}' if self.metrics else 'before its first evaluation'
        return {FINISHED: '', MISSING: '', UNFINISHED: reached, FAILED: self.failure}[self.state]

    @property
    def recipe(self) -> dict[str, Any]:
        """The config without the seed and what says nothing of the recipe."""
        return identity.recipe(self.config)


def read(folder: Path, seed: int | None = None) -> Run:
    """The run of a folder, which may be missing, or of a result, a file.

    Raises:
        ConfigError: a file that cannot be read.
    """
    if folder.suffix == '.json':
        return _of_result(folder)
    config = identity.flatten(_json(folder / 'config.json') or {})
    lines = (folder / 'metrics.jsonl').read_text().splitlines(True) if (folder / 'metrics.jsonl').exists() else []
    try:
        metrics = [json.loads(line) for line in lines if line.endswith('\n')]  # a kill cuts the last line short
    except ValueError as e:
        raise ConfigError(f'{folder / "metrics.jsonl"} is damaged ({e})') from None
    failure = (folder / 'failure.txt').read_text().strip() if (folder / 'failure.txt').exists() else ''
    seed = config.get('seed', 0) if seed is None else seed
    is_rehearsal = (folder / 'rehearsal.txt').exists()
    return Run(folder, seed, config, metrics, _json(folder / 'summary.json') or {}, failure, is_rehearsal)


def find(paths: Iterable[str | Path]) -> tuple[list[Path], list[Path]]:
    """(descriptions of studies, run folders and files of results) at or beneath the paths, each once, in order.

    Raises:
        ConfigError: a path that does not exist, or with neither at or beneath it.
    """
    studies: dict[Path, None] = {}
    runs: dict[Path, None] = {}
    for path in map(Path, paths):
        if not path.is_dir():
            raise ConfigError(f'{path}: no such folder; a report is of run folders, or of folders that hold some')
        before = len(studies) + len(runs)
        for folder, inner, files in os.walk(path):
            inner.sort()
            if 'study.json' in files:
                studies[Path(folder, 'study.json')] = None
            if 'config.json' in files:
                runs[Path(folder)] = None
                inner.clear()
            runs |= {Path(folder, name): None for name in sorted(files) if re.fullmatch(r'seed\d+\.json', name)}
        if len(studies) + len(runs) == before:
            raise ConfigError(f'{path}: has neither runs nor studies')
    return list(studies), list(runs)


def _of_result(path: Path) -> Run:
    result = _json(path)
    try:
        columns = result['metrics']
        metrics = [dict(zip(columns, line, strict=True)) for line in zip(*columns.values(), strict=True)]
        config = identity.flatten(result['config'])
        return Run(path, config['seed'], config, metrics, result['summary'], '', False)
    except (KeyError, TypeError, AttributeError, ValueError) as e:
        raise ConfigError(f'{path} is damaged ({type(e).__name__}: {e})') from None


def _json(path: Path) -> Any:
    if not path.exists():
        return None
    try:
        return json.loads(path.read_text())
    except ValueError as e:
        raise ConfigError(f'{path} is damaged ({e})') from None
