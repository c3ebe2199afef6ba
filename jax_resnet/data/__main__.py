"""Prepares CIFAR: `python -m jax_resnet.data cifar10 [--data_dir=DIR] [--manual_dir=DIR]`."""

from jax_resnet import signals

if __name__ == '__main__':
    signals.end_at_once()

import argparse
import sys

from jax_resnet import command_line
from jax_resnet.data import open_source
from jax_resnet.data.cifar import ARCHIVES


def main() -> int:
    """Runs the command line; returns its exit code."""
    parser = argparse.ArgumentParser(
        prog='python -m jax_resnet.data',
        description='Prepares CIFAR in the layout of TFDS, without TensorFlow, where it is not prepared yet.',
    )
    parser.add_argument('name', choices=list(ARCHIVES))
    parser.add_argument('--data_dir', help='where prepared data lies; else TFDS_DATA_DIR, else ~/tensorflow_datasets')
    parser.add_argument('--manual_dir', help='a folder with the archive, packed or unpacked; else it is downloaded')
    options = parser.parse_args()
    return command_line.run(lambda: _prepare(options))


def _prepare(options: argparse.Namespace) -> None:
    source = open_source(options.name, options.data_dir, options.manual_dir)
    sizes = ', '.join(f'{split} {info.num_examples:,}' for split, info in source.split_infos.items())
    print(f'{source.name} is prepared: {sizes}')


if __name__ == '__main__':
    sys.exit(main())
