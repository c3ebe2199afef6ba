"""What the commands share: which messages are shown, and how errors end."""

import argparse
import ast
import contextlib
import logging
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jax_resnet import files, signals
from jax_resnet.errors import ConfigError, UserError

FEWEST_OPEN_FILES = 64
"""That the system must allow at once; a run takes some 30."""

CONFIG_HELP = (
    'Of a file of weights without a card, network and preprocessing are taken from --config=FILE, whose fields '
    '--config.field=value changes.'
)


def with_config(
    parser: argparse.ArgumentParser, command: Callable[[argparse.Namespace, dict[str, Any] | None], None]
) -> int:
    """Runs a command that may be given a config beside its own arguments; returns its exit code.

    Args:
        parser: of the other arguments.
        command: takes these, and the config, complete and checked, or None.
    """
    from jax_resnet.config import loader

    parser.epilog = CONFIG_HELP
    taken: list[Any] = []

    def parse() -> None:
        taken.extend(loader.take(sys.argv[1:]))

    code = run(parse)
    if code:
        return code
    words, config = taken
    options = parser.parse_args(words)
    return run(lambda: command(options, config))


def run(command: Callable[[], None], debug: bool = False) -> int:
    """Runs a command; returns its exit code, 0 or an error's. Ctrl-C and SIGTERM end the process: see `signals`.

    Args:
        command: prints what it has to say, and raises UserError for what the user can mend.
        debug: raise it, with its traceback, instead of printing its line.
    """
    logging.basicConfig(format='%(message)s')
    logging.getLogger('jax_resnet').setLevel(logging.INFO)
    for name in ('absl', 'asyncio', 'orbax'):  # what they report, we raise
        logging.getLogger(name).setLevel(logging.CRITICAL)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, 'reconfigure'):  # a terminal of another alphabet is no reason to stop
            stream.reconfigure(errors='backslashreplace')
    is_main = threading.current_thread() is threading.main_thread()
    try:
        with signals.ending_at_once() if is_main else contextlib.nullcontext():
            _check_open_files()
            command()
            sys.stdout.flush()
    except UserError as e:
        if debug:
            raise
        print(f'error: {e}' if e.exit_code == 2 else e, file=sys.stderr)
        return e.exit_code
    except MemoryError as e:
        if debug:
            raise
        print(f'error: out of memory ({" ".join(str(e).split())[:150] or "MemoryError"})', file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader of our output, such as head, has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as e:  # of a name that is too long, a folder that may not be searched, an output that is full
        if debug:
            raise
        what = 'the output' if e.filename is None else files.shown(e.filename)
        print(f'error: {what}: {e.strerror}', file=sys.stderr)
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left of it is not to be said again
        return 2
    return 0


def _check_open_files() -> None:
    """Raises ConfigError where so few files may be open at once that JAX or orbax would wait for ever."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if 0 <= limit < FEWEST_OPEN_FILES:
        raise ConfigError(f'ulimit -n is {limit}: must be at least {FEWEST_OPEN_FILES}')


def list_files(folder: Path, flag: str, function: str) -> str:
    """A line for each Python file of a folder that defines a function, with the first paragraph of its docstring.

    Raises:
        ConfigError: there is none; `flag` is what named the folder.
    """
    lines = [line for path in sorted(folder.glob('*.py')) if (line := _describe(path, function))]
    if not lines:
        kind = function.removeprefix('get_')
        raise ConfigError(f'{flag}={folder}: must be a {kind}, or a folder of them; it has none')
    return '\n'.join(lines)


def _describe(path: Path, function: str) -> str:
    """The line of a file, or why it cannot be read; '' where it defines no such function."""
    try:
        if not path.is_file():
            raise ValueError('no file')
        tree = ast.parse(path.read_bytes())
    except (OSError, ValueError, SyntaxError, RecursionError, MemoryError) as e:
        return f'  {path}: cannot be read ({" ".join(str(e).split())})'
    if not any(isinstance(node, ast.FunctionDef) and node.name == function for node in tree.body):
        return ''
    return f'  {path}: {" ".join((ast.get_docstring(tree) or "").partition(chr(10) * 2)[0].split())}'
