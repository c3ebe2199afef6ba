"""Functions that all commands share: they set up logging and report errors."""

import argparse
import ast
import contextlib
import logging
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from jax_resnet import files, signals
from jax_resnet.errors import ConfigError, UserError

if TYPE_CHECKING:
    from jax_resnet.config.fields import Config

FEWEST_OPEN_FILES = 64
"""Minimum limit of open files. A run opens about 30."""

CONFIG_HELP = (
    'If a file of weights has no card in its header, --config=FILE gives its network and preprocessing. '
    '--config.field=value changes a field of this config.'
)


def with_config(parser: argparse.ArgumentParser, command: Callable[[argparse.Namespace, 'Config | None'], None]) -> int:
    """Runs a command that takes an optional config in addition to its own arguments. Returns its exit code.

    Args:
        parser: parser of the command's own arguments.
        command: takes these arguments, and the config or None. The config is complete and checked.
    """
    from jax_resnet.config import arguments, loading

    parser.epilog = CONFIG_HELP

    def separated() -> None:
        words, file, changes = arguments.separate(sys.argv[1:])
        if file is None and changes:
            raise ConfigError(f'--config.{next(iter(changes))}: must be given with --config=FILE, which it changes')
        config = None if file is None else loading.load(file, changes)[0]
        command(parser.parse_args(words), config)

    return run(separated)


def run(command: Callable[[], None], debug: bool = False) -> int:
    """Runs a command. Returns 0 or the exit code of an error. Ctrl-C and SIGTERM end the process: see `signals`.

    Args:
        command: prints its results, and raises UserError for problems that the user can fix.
        debug: raise errors with their traceback instead of printing one line.
    """
    logging.basicConfig(format='%(message)s')
    logging.getLogger('jax_resnet').setLevel(logging.INFO)
    for name in ('absl', 'asyncio', 'orbax'):  # our own errors report the same problems
        logging.getLogger(name).setLevel(logging.CRITICAL)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, 'reconfigure'):  # the terminal may not support all characters
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
    except BrokenPipeError:  # the reader of our output, such as head, has closed the pipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as e:  # for example a name that is too long, no permission for a folder, a full disk
        if debug:
            raise
        name = 'the output' if e.filename is None else files.shown(e.filename)
        print(f'error: {name}: {e.strerror}', file=sys.stderr)
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # avoids a second error at exit
        return 2
    return 0


def _check_open_files() -> None:
    """Raises ConfigError if the limit of open files is so low that JAX or orbax would wait forever."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if 0 <= limit < FEWEST_OPEN_FILES:
        raise ConfigError(f'ulimit -n is {limit}: must be at least {FEWEST_OPEN_FILES}')


def list_files(folder: Path, flag: str, function: str) -> str:
    """Lists the Python files in a folder that define `function`, each with the first paragraph of its docstring.

    Raises:
        ConfigError: there is no such file. The message has `flag`, the option with the folder.
    """
    paths = [path for path in sorted(folder.glob('*.py')) if not path.stem.startswith('base')]
    lines = [line for path in paths if (line := _describe(path, function))]
    if not lines:
        kind = function.removeprefix('get_')
        raise ConfigError(f'{flag}={folder}: must be a {kind} file, or a folder with some; it has none')
    return '\n'.join(lines)


def _describe(path: Path, function: str) -> str:
    """Returns the line for a file, or the reason why it cannot be read; '' if it does not define the function."""
    try:
        if not path.is_file():
            raise ValueError('not a file')
        tree = ast.parse(path.read_bytes())
    except (OSError, ValueError, SyntaxError, RecursionError, MemoryError) as e:
        return f'  {path}: cannot be read ({" ".join(str(e).split())})'
    if not any(isinstance(node, ast.FunctionDef) and node.name == function for node in tree.body):
        return ''
    first_paragraph = (ast.get_docstring(tree) or '').partition('\n\n')[0]
    return f'  {path}: {" ".join(first_paragraph.split())}'
