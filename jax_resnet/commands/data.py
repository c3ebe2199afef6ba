"""Reads CIFAR once and caches its arrays, or makes the index of ImageNet's tars. A run does the same when it starts.

CIFAR is read from data that TFDS has prepared, from an archive or from the network. Of ImageNet's two tars only the
headers are read.
"""

import argparse

from jax_resnet.commands import command_line
from jax_resnet.errors import ConfigError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('name', choices=['cifar10', 'cifar100', 'imagenet2012'])
    parser.add_argument(
        '--data-dir', help='for CIFAR, folder of prepared TFDS data (default: TFDS_DATA_DIR, or ~/tensorflow_datasets)'
    )
    parser.add_argument('--manual-dir', help="folder with CIFAR's archive, packed or unpacked, or with ImageNet's tars")
    command_line.add_json(parser)


def run(options: argparse.Namespace) -> None:
    """Prints the number of examples of each split."""
    from jax_resnet.data import open_source

    name = options.name
    if name == 'imagenet2012':
        if options.data_dir is not None:
            raise ConfigError(f'--data-dir: has no effect on {name}, which reads the tars in --manual-dir')
        if options.manual_dir is None:
            raise ConfigError(f"--manual-dir: must be given for {name}: a folder with ImageNet's two tars")
    source = open_source(name, options.data_dir, options.manual_dir)
    splits = {split: len(source.read(split)) for split in source.sizes}
    if options.json:
        command_line.print_json({'name': name, 'splits': splits})
    else:
        print(f'{name}: ' + ', '.join(f'{split} {count:,}' for split, count in splits.items()))
