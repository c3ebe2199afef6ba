"""Finds the runs and studies in folders and their subfolders."""

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from jax_resnet import files
from jax_resnet.errors import ConfigError
from jax_resnet.runs import schemas
from jax_resnet.runs.parsing import parse
from jax_resnet.runs.run_folder import REPLACED


def find(paths: Iterable[str | Path]) -> tuple[list[Path], list[Path]]:
    """Finds the studies and the runs in these folders and their subfolders.

    Returns:
        The description files of studies (study.json); and the run folders and result files. Each path is listed once,
        in the order of the search.

    Raises:
        ConfigError: a path is not a folder, or has neither runs nor studies.
    """
    studies: dict[Path, None] = {}
    runs: dict[Path, None] = {}
    for path in map(Path, paths):
        if not path.is_dir():
            raise ConfigError(
                f'{files.shown(path)}: no such folder; must be a run folder, or a folder that contains runs or studies'
            )
        before = len(studies) + len(runs)
        for folder, inner, names in os.walk(path):
            inner[:] = sorted(name for name in inner if REPLACED not in name)
            if 'study.json' in names:
                studies[Path(folder, 'study.json')] = None
            if 'config.json' in names:
                runs[Path(folder)] = None
                inner.clear()
            runs |= {Path(folder, name): None for name in sorted(names) if re.fullmatch(r'seed\d+\.json', name)}
        if len(studies) + len(runs) == before:
            raise ConfigError(f'{files.shown(path)}: has neither runs nor studies')
    return list(studies), list(runs)


def read_study(path: Path) -> dict[str, Any]:
    """Returns the content of a study.json, see `schemas.Study`. Raises ConfigError if it is missing or damaged."""
    try:
        content = files.read(path)
    except OSError as e:
        raise ConfigError(f'{files.shown(path)} cannot be read ({e.strerror})') from None
    study: dict[str, Any] = parse(content, schemas.Study, files.shown(path))
    return study
