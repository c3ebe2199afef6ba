"""Converts weights between our names and PyTorch's: `python -m jax_resnet.convert resnet20.safetensors ours.npz`.

Reads and writes .safetensors and .npz, which hold arrays alone; a PyTorch pickle (.pth) can run code and is not read:
`scripts/pth_to_safetensors.py` turns it into safetensors, where PyTorch is installed.
"""

from jax_resnet import signals

if __name__ == '__main__':
    signals.end_at_once()

import argparse
import sys
from pathlib import Path

import numpy as np

import jax_resnet
from jax_resnet import command_line, models
from jax_resnet.errors import DataError
from jax_resnet.models.pytorch import STYLES
from jax_resnet.runs import weights
from jax_resnet.training.trained import flat, read_variables


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


def _convert(options: argparse.Namespace) -> None:
    if Path(options.source).is_dir():
        variables = dict(jax_resnet.load(options.source).variables)
    else:
        variables = read_variables(options.source)
    try:
        arrays = flat(variables) if options.to == 'ours' else models.to_pytorch(variables, options.to)
    except ValueError as e:
        raise DataError(f'{options.source}: {e}') from None
    weights.write(options.target, {name: np.asarray(array) for name, array in arrays.items()})
    print(f'{options.target}: {len(arrays)} arrays, {sum(np.size(a) for a in arrays.values()):,} numbers')


if __name__ == '__main__':
    sys.exit(main())
