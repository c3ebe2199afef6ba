"""Converts weights between our names and PyTorch's: `python -m jax_resnet.convert resnet20.safetensors ours.npz`.

Reads and writes .safetensors and .npz, which hold arrays alone; a PyTorch pickle (.pth) can run code and is not read:
save its state_dict as safetensors, where PyTorch is installed.
"""

import argparse
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

import jax_resnet
from jax_resnet import command_line, models
from jax_resnet.errors import DataError
from jax_resnet.models.pytorch import STYLES

SUFFIXES = ('.safetensors', '.npz')


def main() -> int:
    """Runs the command line; returns its exit code."""
    parser = argparse.ArgumentParser(
        prog='python -m jax_resnet.convert', description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('source', help="a run folder, or weights, .safetensors or .npz, by our names or by PyTorch's")
    parser.add_argument('target', help='the file to write, .safetensors or .npz')
    parser.add_argument('--to', default='ours', choices=['ours', *STYLES], help='whose names to write (ours)')
    options = parser.parse_args()
    return command_line.run(lambda: _convert(options))


def read_weights(path: str | Path) -> dict[str, np.ndarray]:
    """The arrays of a .safetensors or .npz file by name. Raises DataError for anything else; nothing is unpickled."""
    path = Path(path)
    if path.suffix not in SUFFIXES:
        raise DataError(f'{path}: must end in {" or ".join(SUFFIXES)}')
    try:
        if path.suffix == '.safetensors':
            arrays = dict(load_file(path))
        else:
            with path.open('rb') as file, np.load(file, allow_pickle=False) as loaded:
                arrays = dict(loaded)
    except (OSError, ValueError, EOFError, AttributeError, zipfile.BadZipFile, SafetensorError) as e:
        raise DataError(f'{path}: cannot be read as weights ({" ".join(str(e).split())})') from None
    if not arrays:
        raise DataError(f'{path}: must hold weights; it has none')
    return arrays


def write_weights(path: str | Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Writes arrays by name as .safetensors or .npz. Raises DataError where that cannot be."""
    path = Path(path)
    if path.suffix not in SUFFIXES:
        raise DataError(f'{path}: must end in {" or ".join(SUFFIXES)}')
    try:
        if path.suffix == '.safetensors':
            save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, path)
        else:
            np.savez(path, allow_pickle=False, **arrays)
    except (OSError, SafetensorError) as e:
        raise DataError(f'{path}: cannot be written ({e})') from None


def _convert(options: argparse.Namespace) -> None:
    if Path(options.source).is_dir():
        variables = dict(jax_resnet.load(options.source).variables)
    else:
        tensors = read_weights(options.source)
        try:
            is_ours = all(name.startswith(('params/', 'batch_stats/')) for name in tensors)
            variables = unflatten_dict(tensors, sep='/') if is_ours else models.from_pytorch(tensors)
        except (IndexError, TypeError, ValueError) as e:  # ValueError, but where one name is the folder of another
            raise DataError(f'{options.source}: {e}') from None
    try:
        arrays = flatten_dict(variables, sep='/') if options.to == 'ours' else models.to_pytorch(variables, options.to)
    except ValueError as e:
        raise DataError(f'{options.source}: {e}') from None
    write_weights(options.target, {name: np.asarray(array) for name, array in arrays.items()})
    print(f'{options.target}: {len(arrays)} arrays, {sum(np.size(a) for a in arrays.values()):,} numbers')


if __name__ == '__main__':
    sys.exit(main())
