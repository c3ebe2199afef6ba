"""All commands: `python -m jax_resnet COMMAND`, or `jax-resnet COMMAND` where the package is installed."""

import sys

from jax_resnet import signals


def main() -> int:
    """Runs the command line of this process and returns its exit code. The console script is this function."""
    with signals.ending_at_once():  # also during slow imports
        from jax_resnet.commands import command_line

        return command_line.main(sys.argv[1:])


if __name__ == '__main__':
    sys.exit(main())
