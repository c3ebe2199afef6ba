"""Which runs and studies lie beneath some paths."""

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
    """(descriptions of studies, run folders and files of results) at or beneath the paths, each once, in order.

    Raises:
        ConfigError: a path that does not exist, or with neither at or beneath it.
    """
    studies: dict[Path, None] = {}
    runs: dict[Path, None] = {}
    for path in map(Path, paths):
        if not path.is_dir():
            raise ConfigError(
                f'{files.shown(path)}: no such folder; a report is of run folders, or of folders that hold some'
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
    """The description of a study, as `schemas.Study` has it. Raises ConfigError where it is missing or damaged."""
    try:
        content = files.read(path)
    except OSError as e:
        raise ConfigError(f'{files.shown(path)} cannot be read ({e.strerror})') from None
    study: dict[str, Any] = parse(content, schemas.Study, files.shown(path))
    return study
