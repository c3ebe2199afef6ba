"""Parts by their names: those in the tables of this package, and own ones by their import paths."""

import contextlib
import re
import sys
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

from jax_resnet.errors import ConfigError, UserError

PATH = r'[\w.]+:\w+'
"""The pattern of an import path, package.module:name."""

Entry = TypeVar('Entry')


def is_path(name: object) -> bool:
    """Whether a value is the import path of an own part."""
    return isinstance(name, str) and re.fullmatch(PATH, name) is not None


def choose(field: str, name: Any, table: Mapping[str, Entry]) -> Entry:
    """Returns the entry of a table with a name, or imports the own part with an import path.

    Modules of the working directory are found, too. The part must have the type of the table's entries, or be callable
    if they are.

    Raises:
        ValueError: there is no such entry. The message has the known names.
        ConfigError: the own part cannot be imported, or is of another type.
    """
    if name in table:
        return table[name]
    if ':' not in str(name):
        raise ValueError(f'{field} must be one of {", ".join(table)}, or package.module:name; got {name!r}')
    module, _, attribute = name.partition(':')
    with errors(field, name):
        if str(Path.cwd()) not in sys.path:
            sys.path.append(str(Path.cwd()))
        part: Any = getattr(import_module(module), attribute)
    like = next(iter(table.values()), errors)
    if not (callable(part) if callable(like) else isinstance(part, type(like))):
        expected = 'a function or a class' if callable(like) else f'of type {type(like).__name__}'
        raise ConfigError(f'{field}={name!r}: must be {expected}; it is of type {type(part).__name__}')
    return part  # type: ignore[no-any-return]


@contextlib.contextmanager
def errors(field: str, name: str | None) -> Iterator[None]:
    """Turns any error of a block into ConfigError, a line, if it uses an own part: if `name` is an import path."""
    try:
        yield
    except (Exception, SystemExit) as e:
        if isinstance(e, UserError) or ':' not in str(name):
            raise
        message = ' '.join(str(e).split())[:300]  # an OSError names its file
        if isinstance(e, ModuleNotFoundError):
            message += f'; it must be in the working directory, {Path.cwd()}, or be installed'
        raise ConfigError(f'{field}={name!r}: {type(e).__name__}: {message}') from e
