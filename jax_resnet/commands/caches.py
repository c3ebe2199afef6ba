"""Shows what caches and runs take on disk, and removes what nothing needs.

`--remove` removes what nothing needs: compiled programs of other versions of jaxlib, what interrupted programs have
left in the cache, and runs that were replaced.
"""

import argparse
import re
import shutil
import time
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from jax_resnet import files
from jax_resnet.errors import DataError

SECONDS = 3600
"""What was changed in this time may belong to a program that runs now."""


class Entry(NamedTuple):
    """Files or folders, what they are, and whether something needs them."""

    title: str
    paths: list[Path]
    needed: bool


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options."""
    parser.add_argument('runs', nargs='?', help='a folder of runs, such as runs')
    parser.add_argument('--remove', action='store_true', help='remove what nothing needs')


def run(options: argparse.Namespace) -> None:
    """Prints a line for each group of files, and removes those that nothing needs if that is asked for."""
    removable = 0
    for entry in [*cached(), *([] if options.runs is None else in_runs(files.local(options.runs)))]:
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
    data, programs = sorted(folder.glob('*.safetensors')), sorted(folder.glob('compiled/*'))
    others = [path for path in sorted(folder.glob('*')) if path not in data and path.name != 'compiled']
    left = [path for path in others if time.time() - path.stat().st_mtime > SECONDS]
    return [
        Entry(f'decoded data, indices and results of checks, in {files.shown(folder)}', data, True),
        Entry(f'compiled programs of {jaxlib}', [path for path in programs if path.name == jaxlib], True),
        Entry('compiled programs of other versions', [path for path in programs if path.name != jaxlib], False),
        Entry('files of programs that were interrupted', left, False),
    ]


def in_runs(folder: Path) -> list[Entry]:
    """The entries of a folder of runs."""
    from jax_resnet.runs.run_folder import REPLACED

    paths = sorted(path.parent for path in folder.rglob('config.json'))
    replaced = [path for path in paths if re.search(rf'{re.escape(REPLACED)}\d+$', path.name)]
    runs = [path for path in paths if path not in replaced]
    return [
        Entry(f'{len(runs):,} runs in {files.shown(folder)}', runs, True),
        Entry('runs that others have replaced', replaced, False),
    ]


def _size(path: Path) -> int:
    """Bytes of a file, or of all files in a folder."""
    return sum(file.stat().st_size for file in ([path] if path.is_file() else path.rglob('*')) if file.is_file())
