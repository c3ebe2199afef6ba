"""The parser of all commands, and what they share: logging, signals, and errors as lines with exit codes."""

import argparse
import ast
import contextlib
import json
import logging
import os
import sys
import threading
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from jax_resnet import files, signals
from jax_resnet.errors import ConfigError, UserError

if TYPE_CHECKING:
    from jax_resnet.config.fields import Config

COMMANDS = (
    'train',
    'evaluate',
    'predict',
    'export',
    'convert',
    'inspect',
    'study',
    'report',
    'results',
    'data',
    'caches',
)
"""The modules of this package with a command. The first line of a module's docstring says what its command does.

Each has two functions: `add_arguments(parser)`, and `run(options)`, which prints results and raises UserError. Both are
in modules that import nothing slow, so that `--help` starts fast.
"""

FEWEST_OPEN_FILES = 64
"""Minimum limit of open files. A run opens about 30."""

HELP = {'-h', '--help'}


class Parser(argparse.ArgumentParser):
    """A parser whose errors are UserErrors, so that they are one line."""

    def error(self, message: str) -> NoReturn:
        """Raises ConfigError."""
        raise ConfigError(message)


def main(words: Sequence[str]) -> int:
    """Runs a command line, without the program's name. Returns its exit code, see `run`."""
    return run(lambda: _command(words), debug='--debug' in words, quiet='--quiet' in words)


def _command(words: Sequence[str]) -> None:
    from jax_resnet.config import arguments

    words, file, changes = arguments.separate(words)
    parser, commands = _parsers()
    if file is not None and HELP & {*words}:  # also lists the fields of this config
        from jax_resnet.config import fields, loading

        described = fields.describe(loading.load(file, changes)[0])
        for each in commands:
            each.epilog = f'Fields of {file}, changed by --config.field=value:\n\n{described}'
    options, unknown = parser.parse_known_args(words)
    has_config = hasattr(options, 'config')
    if unknown:
        advice = '; fields are changed by --config.field=value' if has_config else ''
        raise ConfigError(f'unknown argument {unknown[0]!r}{advice}')
    if not has_config and (file or changes):
        raise ConfigError(f'--config: {options.command} takes no config')
    if changes and file is None and options.command != 'train':
        raise ConfigError(f'--config.{next(iter(changes))}: must be given with --config=FILE, which it changes')
    options.config, options.changes = file, changes
    options.run(options)


def _parsers() -> tuple[Parser, list[Parser]]:
    """Makes the parser, and those of the commands."""
    parser = Parser(prog='python -m jax_resnet', description='Deep residual networks in JAX.')
    commands = parser.add_subparsers(dest='command', required=True, metavar='COMMAND')
    for name in COMMANDS:
        module = import_module(f'jax_resnet.commands.{name}')
        module.add_arguments(add_parser(commands, name, module.__doc__, run=module.run))
    return parser, [*commands.choices.values()]


def add_parser(commands: Any, name: str, about: str | None, **defaults: Any) -> Parser:
    """Adds the parser of a command, or of a kind in one, with the options that all have.

    Args:
        commands: of `add_subparsers`.
        name: the name of the command.
        about: describes it; the first line is for the list of commands.
        **defaults: attributes of its parsed options.
    """
    raw = argparse.RawDescriptionHelpFormatter
    line = (about or '').partition('\n')[0]
    parser: Parser = commands.add_parser(name, help=line, description=about, formatter_class=raw, allow_abbrev=False)
    parser.set_defaults(**defaults)
    for flag, help in (('--quiet', 'print only results and errors'), ('--debug', 'show the traceback of an error')):
        parser.add_argument(flag, action='store_true', help=help)
    return parser


def add_config(parser: argparse.ArgumentParser, help: str) -> None:
    """Adds --config. Its words are taken from the command line before it is parsed; this is for the help."""
    parser.add_argument('--config', metavar='FILE', help=f'{help}; --config.field=value changes a field of it')


def add_network(parser: argparse.ArgumentParser) -> None:
    """Adds what describes a network: a run, a file of weights, with a card or with --config, or a name on the Hub."""
    parser.add_argument(
        'network', help='a run folder, a file of weights, or a name on the Hub, such as timm/resnet50.a1_in1k'
    )
    add_config(parser, 'for a file of weights without a card: the network and its preprocessing')


def add_data(parser: argparse.ArgumentParser) -> None:
    """Adds --data, which describes the data, whatever the network."""
    parser.add_argument(
        '--data',
        metavar='NAME|DIR',
        help="the name of a data set, or a folder: of pictures, of ImageNet's tars, or of prepared TFDS data "
        "(default: the network's own)",
    )


def add_json(parser: argparse.ArgumentParser) -> None:
    """Adds --json."""
    parser.add_argument('--json', action='store_true', help='print the results as JSON')


def given_config(options: argparse.Namespace) -> 'Config | None':
    """Returns the config that is given by --config, or None."""
    from jax_resnet.config import loading

    return None if options.config is None else loading.load(options.config, options.changes)[0]


def print_json(value: Any) -> None:
    """Prints the results of a command as JSON."""
    print(json.dumps(value, indent=1))


def run(command: Callable[[], None], debug: bool = False, quiet: bool = False) -> int:
    """Runs a command. Returns 0 or the exit code of an error. Ctrl-C and SIGTERM end the process: see `signals`.

    Args:
        command: prints its results, and raises UserError for problems that the user can fix.
        debug: raise errors with their traceback instead of printing one line.
        quiet: log only warnings.
    """
    logging.basicConfig(format='%(message)s')
    logging.getLogger('jax_resnet').setLevel(logging.WARNING if quiet else logging.INFO)
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
