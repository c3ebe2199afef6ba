"""Trains the network that a config describes: `python main.py --config=configs/resnet20_cifar10.py`.

It is `python -m jax_resnet train`, for a clone. Any field can be changed: `--config.seed=2`.
"""

import sys

from jax_resnet import signals

if __name__ == '__main__':
    with signals.ending_at_once():  # also during slow imports
        from jax_resnet.commands import command_line

        sys.exit(command_line.main(['train', *sys.argv[1:]]))
