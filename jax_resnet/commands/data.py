"""Reads CIFAR once, and lists or verifies ImageNet's tars.

cifar10 and cifar100: reads CIFAR from data that TFDS has prepared, from an archive or from the network, and caches its
arrays. imagenet2012: makes an index of the pictures in ImageNet's two tars, which are not changed; it reads only their
headers. verify: reads both tars completely and checks their SHA-256.
"""

import argparse

from jax_resnet import files
from jax_resnet.commands import command_line
from jax_resnet.errors import ConfigError

CIFAR = ('cifar10', 'cifar100')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options."""
    parser.add_argument('name', choices=[*CIFAR, 'imagenet2012', 'verify'])
    parser.add_argument(
        '--data-dir', help='for CIFAR, folder of prepared TFDS data (default: TFDS_DATA_DIR, or ~/tensorflow_datasets)'
    )
    parser.add_argument('--manual-dir', help="folder with CIFAR's archive, packed or unpacked, or with ImageNet's tars")
    command_line.add_json(parser)


def run(options: argparse.Namespace) -> None:
    """Reads or verifies, and prints the number of examples of each split."""
    from jax_resnet.data import open_source
    from jax_resnet.data.pictures.imagenet import verify

    name = options.name
    if name not in CIFAR:
        if options.data_dir is not None:
            raise ConfigError(f'--data-dir: has no effect on {name}, which reads the tars in --manual-dir')
        if options.manual_dir is None:
            raise ConfigError(f"--manual-dir: must be given for {name}: a folder with ImageNet's two tars")
    if name == 'verify':
        for line in verify(files.local(options.manual_dir)):
            print(line, flush=True)
        return
    source = open_source(name, options.data_dir, options.manual_dir)
    splits = {split: len(source.read(split)) for split in source.sizes}
    if options.json:
        command_line.print_json({'name': name, 'splits': splits})
    else:
        print(f'{name}: ' + ', '.join(f'{split} {count:,}' for split, count in splits.items()))
