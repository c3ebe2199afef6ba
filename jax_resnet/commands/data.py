"""Prepares CIFAR, and lists or verifies ImageNet's tars.

cifar10 and cifar100: prepares CIFAR in the layout of TFDS, without TensorFlow, if it is not prepared yet. imagenet2012:
makes an index of the pictures in ImageNet's two tars, which are not changed; it reads only their headers. verify: reads
both tars completely and checks their SHA-256.
"""

import argparse
from pathlib import Path

from jax_resnet.commands import command_line
from jax_resnet.errors import ConfigError

CIFAR = ('cifar10', 'cifar100')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options."""
    parser.add_argument('name', choices=[*CIFAR, 'imagenet2012', 'verify'])
    parser.add_argument(
        '--data-dir', help='folder of prepared TFDS data (default: TFDS_DATA_DIR, or else ~/tensorflow_datasets)'
    )
    parser.add_argument(
        '--manual-dir',
        help="folder with CIFAR's archive, packed or unpacked (default: download it), or with ImageNet's two tars",
    )
    command_line.add_json(parser)


def run(options: argparse.Namespace) -> None:
    """Prepares or verifies, and prints the number of examples of each split."""
    from jax_resnet.data import open_source
    from jax_resnet.data.pictures.tars import verify

    if options.name not in CIFAR and options.manual_dir is None:
        raise ConfigError(f"--manual-dir: must be given for {options.name}: a folder with ImageNet's two tars")
    if options.name == 'verify':
        for line in verify(Path(options.manual_dir).expanduser()):
            print(line, flush=True)
        return
    source = open_source(options.name, options.data_dir, options.manual_dir)
    splits = {split: info.num_examples for split, info in source.split_infos.items()}
    if options.json:
        command_line.print_json({'name': source.name, 'splits': splits})
    else:
        print(f'{source.name} is prepared: ' + ', '.join(f'{split} {count:,}' for split, count in splits.items()))
