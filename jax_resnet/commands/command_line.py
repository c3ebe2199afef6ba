"""The parser of all commands, and what they share: logging, signals, and errors as lines with exit codes."""

import argparse
import ast
import json
import logging
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NoReturn

from jax_resnet import files, signals
from jax_resnet.config import arguments, loading
from jax_resnet.config.fields import describe
from jax_resnet.errors import ConfigError, UserError, printable, reason

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

Each has two functions: `add_arguments(parser)`, and `run(options)`, which prints results and raises UserError. Only
functions import what needs JAX, so that `--help` starts fast.
"""


class Parser(argparse.ArgumentParser):
    """A parser whose errors are UserErrors, so that they are one line."""

    def error(self, message: str) -> NoReturn:
        """Raises ConfigError."""
        raise ConfigError(message)


def _command(words: Sequence[str]) -> None:
    words, file, changes = arguments.separate(words)
    described = ''
    if file is not None and {'-h', '--help'} & {*words}:
        fields = describe(loading.load(file, changes)[0])
        described = f'Fields of {file}, changed by --config.field=value:\n\n{fields}'
    parser = Parser(prog='python -m jax_resnet', description='Deep residual networks in JAX.')
    commands = parser.add_subparsers(dest='command', required=True, metavar='COMMAND')
    for name in COMMANDS:
        module = import_module(f'jax_resnet.commands.{name}')
        module.add_arguments(add_parser(commands, name, module.__doc__, described, run=module.run))
    options, unknown = parser.parse_known_args(words)
    has_config = hasattr(options, 'config')
    if unknown:
        advice = '; fields are changed by --config.field=value' if has_config else ''
        raise ConfigError(f'unknown argument {unknown[0]!r}{advice}')
    if not has_config and (file or changes):
        raise ConfigError(f'--config: {options.command} takes no config')
    if options.command == 'train':  # loads the config itself, or lists the configs of a folder
        options.config, options.changes = file, changes
    elif file is not None:
        options.config = loading.load(file, changes)[0]
    elif changes:
        raise ConfigError(f'--config.{next(iter(changes))}: must be given with --config=FILE, which it changes')
    options.run(options)


def add_parser(commands: Any, name: str, about: str | None, epilog: str = '', **defaults: Any) -> Parser:
    """Adds the parser of a command, or of a part of one, with the options that all have.

    Args:
        commands: of `add_subparsers`.
        name: the name of the command.
        about: describes it; the first line is for the list of commands.
        epilog: stands at the end of its help.
        **defaults: attributes of its parsed options.
    """
    raw = argparse.RawDescriptionHelpFormatter
    line = (about or '').partition('\n')[0]
    parser: Parser = commands.add_parser(
        name, help=line, description=about, epilog=epilog, formatter_class=raw, allow_abbrev=False
    )
    parser.set_defaults(**defaults)
    parser.add_argument('--quiet', action='store_true', help='print only results and errors')
    parser.add_argument('--debug', action='store_true', help='show the traceback of an error')
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


def print_json(value: Any) -> None:
    """Prints the results of a command as JSON."""
    print(json.dumps(value, indent=1))


@files.safe_streams()
def main(words: Sequence[str]) -> int:
    """Runs a command line, without the program's name. Returns 0 or the exit code of an error, which is one line.

    Ctrl-C and SIGTERM end the process: see `signals`. If nobody reads the output any more, the command goes on, as it
    may also write files.
    """
    logging.basicConfig(format='%(message)s')
    logging.getLogger('jax_resnet').setLevel(logging.WARNING if '--quiet' in words else logging.INFO)
    for name in ('absl', 'asyncio', 'orbax'):  # our own errors report the same problems
        logging.getLogger(name).setLevel(logging.CRITICAL)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, 'reconfigure'):  # the terminal may not support all characters
            stream.reconfigure(errors='backslashreplace')
    try:
        with signals.ending_at_once():
            _command(words)
            sys.stdout.flush()
    except (UserError, MemoryError, OSError) as e:
        if '--debug' in words:
            raise
        if isinstance(e, UserError):
            message, code = str(e), e.exit_code
        elif isinstance(e, MemoryError):
            message, code = f'out of memory ({reason(e)})', 2
        else:  # for example a name that is too long, no permission for a folder, a full disk
            name = 'the output' if e.filename is None else printable(e.filename)
            message, code = f'{name}: {reason(e)}', 2
        print(f'error: {message}' if code == 2 else message, file=sys.stderr)
        return code
    return 0


def list_folder(file: str, category: str) -> bool:
    """Prints the files of a category, 'config' or 'study', in a folder, each with the first paragraph of its docstring.

    Returns False if it is no folder. Raises ConfigError if there is no such file in it.
    """
    folder = loading.find(file, category)
    if not folder.is_dir():
        return False
    lines = []
    for path in sorted(path for path in folder.glob('*.py') if not path.stem.startswith('base')):
        try:
            tree = ast.parse(path.read_bytes())
        except (OSError, ValueError, SyntaxError) as e:
            lines.append(f'  {path}: cannot be read ({" ".join(str(e).split())})')
            continue
        if any(isinstance(node, ast.FunctionDef) and node.name == f'get_{category}' for node in tree.body):
            first_paragraph = (ast.get_docstring(tree) or '').partition('\n\n')[0]
            lines.append(f'  {path}: {" ".join(first_paragraph.split())}')
    if not lines:
        raise ConfigError(f'--{category}={folder}: must be a {category} file, or a folder with some; it has none')
    print('\n'.join(lines))
    return True
