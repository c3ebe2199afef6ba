"""Finds the runs and studies in folders and their subfolders."""

import os
import re
from collections.abc import Iterable
from pathlib import Path

from jax_resnet.errors import ConfigError
from jax_resnet.files import shown
from jax_resnet.runs.run_folder import REPLACED

STUDY = 'study.json'
"""The file in a study's folder that describes it, see `schemas.Study`."""


def find(paths: Iterable[str | Path]) -> tuple[list[Path], list[Path]]:
    """Finds the studies and the runs in these folders and their subfolders.

    Returns:
        The description files of studies; and the run folders and result files. Each path is listed once, in the order
        of the search.

    Raises:
        ConfigError: a path is not a folder, or has neither runs nor studies.
    """
    studies: dict[Path, None] = {}
    runs: dict[Path, None] = {}
    for path in map(Path, paths):
        if not path.is_dir():
            raise ConfigError(
                f'{shown(path)}: no such folder; must be a run folder, or a folder that contains runs or studies'
            )
        before = len(studies) + len(runs)
        for folder, inner, names in os.walk(path):
            inner[:] = sorted(name for name in inner if REPLACED not in name)
            if STUDY in names:
                studies[Path(folder, STUDY)] = None
            if 'config.json' in names:
                runs[Path(folder)] = None
                inner.clear()
            runs |= {Path(folder, name): None for name in sorted(names) if re.fullmatch(r'seed\d+\.json', name)}
        if len(studies) + len(runs) == before:
            raise ConfigError(f'{shown(path)}: has neither runs nor studies')
    return list(studies), list(runs)
