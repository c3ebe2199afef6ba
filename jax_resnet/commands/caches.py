"""Shows what caches and runs take on disk, and removes what nothing needs.

`--remove` removes what nothing needs: compiled programs of other versions of jaxlib, what interrupted programs have
left in the cache, runs that were replaced, and of a finished run all checkpoints but the last one and those of
`keep_every`.
"""

import argparse
import re
import shutil
import time
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from jax_resnet import files
from jax_resnet.config.durations import Clock
from jax_resnet.errors import DataError

if TYPE_CHECKING:
    from jax_resnet.runs.run_folder import RunFolder

DATA = re.compile(r'(cifar100?|imagenet2012-index-\w+|mean-\w+|checked-\w+)\.safetensors')
"""Names of the files with decoded data, with indices of archives and with results of checks."""

SECONDS = 3600
"""What was changed in this time may belong to a program that runs now."""


class Entry(NamedTuple):
    """Files or folders, what they are, and whether something needs them."""

    title: str
    paths: list[Path]
    needed: bool


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options."""
    parser.add_argument('runs', nargs='?', type=Path, help='a folder of runs, such as runs')
    parser.add_argument('--remove', action='store_true', help='remove what nothing needs')


def run(options: argparse.Namespace) -> None:
    """Prints a line for each group of files, and removes those that nothing needs if that is asked for."""
    removable = 0
    for entry in [*cached(), *([] if options.runs is None else in_runs(options.runs))]:
        size = sum(map(_size, entry.paths))
        removable += 0 if entry.needed else size
        print(f'{size / 1e6:10,.1f} MB  {entry.title}{"" if entry.needed else " (not needed)"}')
        for path in [] if entry.needed or not options.remove else entry.paths:
            try:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
            except OSError as e:
                raise DataError(f'{files.shown(path)}: cannot be removed ({e.strerror})') from None
    print(f'removed {removable / 1e6:,.1f} MB' if options.remove else f'--remove would free {removable / 1e6:,.1f} MB')


def cached() -> list[Entry]:
    """The entries of the user's cache folder."""
    folder, jaxlib = files.cache_folder(), f'jaxlib-{version("jaxlib")}'
    found, programs = (sorted(each.glob('*')) for each in (folder, folder / 'compiled'))
    data = [path for path in found if DATA.fullmatch(path.name)]
    others = [path for path in found if path not in data and path.name != 'compiled']
    left = [path for path in others if time.time() - path.stat().st_mtime > SECONDS]
    return [
        Entry(f'decoded data, indices and results of checks, in {files.shown(folder)}', data, True),
        Entry(f'compiled programs of {jaxlib}', [path for path in programs if path.name == jaxlib], True),
        Entry('compiled programs of other versions', [path for path in programs if path.name != jaxlib], False),
        Entry('files of other versions, or of programs that were interrupted', left, False),
    ]


def in_runs(folder: Path) -> list[Entry]:
    """The entries of a folder of runs. Raises ConfigError if a run is damaged."""
    from jax_resnet.runs.run_folder import REPLACED, RunFolder

    paths = sorted(path.parent for path in folder.rglob('config.json'))
    replaced = [path for path in paths if re.search(rf'{re.escape(REPLACED)}\d+$', path.name)]
    runs = [path for path in paths if path not in replaced]
    surplus = [checkpoint for path in runs for checkpoint in _surplus(RunFolder(path))]
    return [
        Entry(f'{len(runs):,} runs in {files.shown(folder)}', runs, True),
        Entry('of these, earlier checkpoints of finished runs', surplus, False),
        Entry('runs that others have replaced', replaced, False),
    ]


def _surplus(run: 'RunFolder') -> Iterable[Path]:
    """The checkpoints of a finished run that are neither the last one nor kept by `keep_every`."""
    if run.summary() is None or run.is_locked():
        return []
    config, last = run.config(), run.metrics()[-1]
    clock = Clock(round(last['step'] * config.batch_size / last['epoch']), config.batch_size)
    steps = sorted(int(path.name) for path in run.checkpoints.glob('*') if path.name.isdigit())
    kept = [config.keep_every is not None and clock.is_due(config.keep_every, step) for step in steps[:-1]]
    return [run.checkpoints / str(step) for step, keep in zip(steps[:-1], kept, strict=True) if not keep]


def _size(path: Path) -> int:
    """Bytes of a file, or of all files in a folder."""
    return sum(file.stat().st_size for file in ([path] if path.is_file() else path.rglob('*')) if file.is_file())
