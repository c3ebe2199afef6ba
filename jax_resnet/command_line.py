"""What the commands share: which messages are shown, and how errors end."""

import logging
import os
import signal
import sys
from collections.abc import Callable

from jax_resnet.errors import UserError


def run(command: Callable[[], None], debug: bool = False) -> int:
    """Runs a command; returns its exit code: 0, an error's, or 130 after Ctrl-C.

    Args:
        command: prints what it has to say, and raises UserError for what the user can mend.
        debug: raise it, with its traceback, instead of printing its line.
    """
    logging.basicConfig(format='%(message)s')
    logging.getLogger('jax_resnet').setLevel(logging.INFO)
    for name in ('absl', 'asyncio', 'orbax'):  # what they report, we raise
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        command()
    except UserError as e:
        if debug:
            raise
        print(f'error: {e}' if e.exit_code == 2 else e, file=sys.stderr)
        return e.exit_code
    except BrokenPipeError:  # the reader of our output, such as head, has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    return 0
