"""Prepares CIFAR and checks ImageNet: `python -m jax_resnet.data cifar10 [--data_dir=DIR] [--manual_dir=DIR]`."""

from jax_resnet import signals

if __name__ == '__main__':
    signals.end_at_once()

import argparse
import sys
from pathlib import Path

from jax_resnet.commands import command_line
from jax_resnet.data import open_source
from jax_resnet.data.cifar import ARCHIVES
from jax_resnet.data.pictures.tars import open_tars, verify
from jax_resnet.errors import ConfigError


def main() -> int:
    """Runs the command line and returns its exit code."""
    parser = argparse.ArgumentParser(
        prog='python -m jax_resnet.data',
        description='cifar10 and cifar100: prepares CIFAR in the layout of TFDS, without TensorFlow, if it is not '
        "prepared yet. imagenet2012: makes an index of the pictures in ImageNet's two tars, which are not changed; it "
        'reads only their headers. verify: reads both tars completely and checks their SHA-256.',
    )
    parser.add_argument('name', choices=[*ARCHIVES, 'imagenet2012', 'verify'])
    parser.add_argument(
        '--data_dir', help='folder of prepared TFDS data (default: TFDS_DATA_DIR, or else ~/tensorflow_datasets)'
    )
    parser.add_argument(
        '--manual_dir',
        help="folder with CIFAR's archive, packed or unpacked (default: download it), or with ImageNet's two tars",
    )
    options = parser.parse_args()
    return command_line.run(lambda: _run(options))


def _run(options: argparse.Namespace) -> None:
    if options.name in ARCHIVES:
        source = open_source(options.name, options.data_dir, options.manual_dir)
        sizes = ', '.join(f'{split} {info.num_examples:,}' for split, info in source.split_infos.items())
        print(f'{source.name} is prepared: {sizes}')
        return
    if options.manual_dir is None:
        raise ConfigError(f"--manual_dir: must be given for {options.name}: a folder with ImageNet's two tars")
    manual_dir = Path(options.manual_dir).expanduser()
    if options.name == 'verify':
        for line in verify(manual_dir):
            print(line, flush=True)
    else:
        pictures = open_tars(options.name, manual_dir).pictures
        print(f'{options.name}: {len(pictures["train"]):,} and {len(pictures["validation"]):,} pictures')


if __name__ == '__main__':
    sys.exit(main())
