"""Reads CIFAR once, and checks ImageNet: `python -m jax_resnet.data cifar10 [--data_dir=DIR] [--manual_dir=DIR]`."""

from jax_resnet import signals

if __name__ == '__main__':
    signals.end_at_once()

import argparse
import sys
from pathlib import Path

from jax_resnet import command_line
from jax_resnet.data import open_source
from jax_resnet.data.cifar import CIFAR
from jax_resnet.data.pictures.imagenet import open_tars, verify
from jax_resnet.errors import ConfigError


def main() -> int:
    """Runs the command line and returns its exit code."""
    parser = argparse.ArgumentParser(
        prog='python -m jax_resnet.data',
        description='cifar10 and cifar100: reads CIFAR, from data that TFDS has prepared, from an archive or from the '
        "network, and caches its arrays. imagenet2012: makes an index of the pictures in ImageNet's two tars, which "
        'are not changed; it reads only their headers. verify: reads both tars completely and checks their SHA-256.',
    )
    parser.add_argument('name', choices=[*CIFAR, 'imagenet2012', 'verify'])
    parser.add_argument(
        '--data_dir', help='for CIFAR, folder of prepared TFDS data (default: TFDS_DATA_DIR, or ~/tensorflow_datasets)'
    )
    parser.add_argument('--manual_dir', help="folder with CIFAR's archive, packed or unpacked, or with ImageNet's tars")
    options = parser.parse_args()
    return command_line.run(lambda: _run(options))


def _run(options: argparse.Namespace) -> None:
    name = options.name
    if name in CIFAR:
        source = open_source(name, options.data_dir, options.manual_dir)
        counts = ', '.join(f'{split} {len(source.read(split)):,}' for split in source.sizes)
        print(f'{name}: {counts} examples')
        return
    if options.data_dir is not None:
        raise ConfigError(f'--data_dir: has no effect on {name}, which reads the tars in --manual_dir')
    if options.manual_dir is None:
        raise ConfigError(f"--manual_dir: must be given for {name}: a folder with ImageNet's two tars")
    manual_dir = Path(options.manual_dir).expanduser()
    if name == 'verify':
        for line in verify(manual_dir):
            print(line, flush=True)
    else:
        sizes = open_tars(name, manual_dir).sizes
        print(f'{name}: {sizes["train"]:,} and {sizes["validation"]:,} pictures')


if __name__ == '__main__':
    sys.exit(main())
