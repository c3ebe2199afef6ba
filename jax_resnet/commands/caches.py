"""Shows what the cache and a folder of runs take on disk, and removes what nothing needs.

`--remove` removes compiled programs of other versions of jaxlib, what interrupted programs have left in the cache, and
damaged checkpoints that runs have set aside.
"""

import argparse
import shutil
import time
from importlib.metadata import version
from pathlib import Path

from jax_resnet import files
from jax_resnet.errors import ConfigError, printable

SECONDS = 3600
"""What was changed in this time may belong to a program that runs now."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('runs', nargs='?', help='a folder of runs, such as runs')
    parser.add_argument('--remove', action='store_true', help='remove what nothing needs')


def run(options: argparse.Namespace) -> None:
    """Prints a line for each group of files, and removes those that nothing needs if that is asked for."""
    folder, jaxlib = files.cache_folder(), f'jaxlib-{version("jaxlib")}'
    data, programs = sorted(folder.glob('*.safetensors')), sorted(folder.glob('compiled/*'))
    others = [path for path in sorted(folder.glob('*')) if path not in data and path.name != 'compiled']
    needed = {
        f'decoded data, indices and results of checks, in {printable(folder)}': data,
        f'compiled programs of {jaxlib}': [path for path in programs if path.name == jaxlib],
    }
    removable = {
        'compiled programs of other versions (not needed)': [path for path in programs if path.name != jaxlib],
        'files of programs that were interrupted (not needed)': [
            path for path in others if time.time() - path.stat().st_mtime > SECONDS
        ],
    }
    if options.runs is not None:
        runs = files.local(options.runs)
        if not runs.is_dir():
            raise ConfigError(f'{runs}: no such folder')
        configs = [*runs.rglob('config.json')]
        needed[f'{len(configs):,} runs in {printable(runs)}'] = [path.parent for path in configs]
        removable['damaged checkpoints of runs (not needed)'] = [
            path for config in configs for path in config.parent.glob('damaged-checkpoint-*')
        ]
    for title, paths in (needed | removable).items():
        print(f'{_megabytes(paths)}  {title}')
    paths = [path for group in removable.values() for path in group]
    print(f'{_megabytes(paths)}  {"removed" if options.remove else "can be removed by --remove"}')
    for path in paths if options.remove else []:
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def _megabytes(paths: list[Path]) -> str:
    """The size of files, and of all files in folders."""
    inside = [file for path in paths for file in ([path] if path.is_file() else path.rglob('*')) if file.is_file()]
    return f'{sum(file.stat().st_size for file in inside) / 1e6:10,.1f} MB'
