"""Reads command lines: a config, and fields to change in it, beside the other arguments of a program."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from absl import flags

from jax_resnet.config.fields import check, check_name, every_field
from jax_resnet.config.loader import read
from jax_resnet.errors import ConfigError

_CHANGE = re.compile(r'--?(no)?config\.([^=]+)(?:=(.*))?', re.DOTALL)


def parse(argv: Sequence[str], values: flags.FlagValues) -> tuple[str, dict[str, list[str]]]:
    """Parses a command line with a config, and with fields to change in it, before or after the config.

    Args:
        argv: the program's name, then `--config=file.py:argument`, `--config.field=value` and other flags.
        values: definitions of the other flags and of `config`, a text.

    Returns:
        The config file with its argument, and the texts of the fields' values, by dotted name.

    Raises:
        ConfigError: a field or flag is unknown, or there is no config.
    """
    try:
        rest, given = _split(_with_flag_files(argv, values))
        rest = values(rest)
    except flags.Error as e:
        raise ConfigError(' '.join(str(e).split())) from e
    if len(rest) > 1:
        raise ConfigError(f'unknown argument {rest[1]!r}; fields are changed by --config.field=value')
    file: str | None = values['config'].value
    if file is None:
        raise ConfigError('--config: must be given, such as --config=configs/resnet20_digits.py')
    return file, given


def separate(words: Sequence[str]) -> tuple[list[str], dict[str, Any] | None]:
    """Separates a config, and fields to change in it, from the other arguments of a command.

    Args:
        words: the command line without the program's name.

    Returns:
        The other words, and the config as nested dicts, complete and checked. Without --config, the config is None.

    Raises:
        ConfigError: as `parse` and `loader.read`; also if a value is not allowed, or a field is given without
            --config=FILE.
    """
    values = flags.FlagValues()
    flags.DEFINE_string('config', None, '', flag_values=values)
    try:
        rest, given = _split(words)
        rest = values(['', *rest], known_only=True)[1:]
    except flags.Error as e:
        raise ConfigError(' '.join(str(e).split())) from e
    file = values['config'].value
    if file is None:
        if given:
            raise ConfigError(
                f'--config.{next(iter(given))}: must be given with --config=FILE, the config that it changes'
            )
        return rest, None
    config: dict[str, Any] = read(file, given).config.to_dict()
    check(config)
    return rest, config


def _split(argv: Sequence[str]) -> tuple[list[str], dict[str, list[str]]]:
    """Splits a command line into words without changed fields, and the changed fields."""
    rest: list[str] = []
    given: dict[str, list[str]] = {}
    words = iter(argv)
    for word in words:
        match = _CHANGE.fullmatch(word)
        if match is None:
            rest.append(word)
            continue
        no, name, value = match.groups()
        check_name(name)
        field = every_field()[name]
        if no and (value is not None or not field.is_flag):
            raise ConfigError(f'{word}: --no is allowed only for a field that is True or False, and takes no value')
        if value is None:  # the next word is the value, except for a flag
            value = ('false' if no else 'true') if field.is_flag else next(words, '--')
        if value.startswith('--'):
            raise ConfigError(f'config.{name}: has no value; must be {field.allowed}')
        given.setdefault(name, []).append(value)
    return rest, given


def _with_flag_files(argv: Sequence[str], values: flags.FlagValues) -> list[str]:
    """Replaces each `--flagfile=FILE` in a command line by the content of the file."""
    for word, following in zip(argv, [*argv[1:], ''], strict=True):
        match = re.fullmatch(r'--?flagfile(?:=(.*))?', word)
        path = '' if match is None else following if match[1] is None else match[1]
        if path and not Path(path).is_file():
            raise ConfigError(f'--flagfile={path}: no such file')
    try:
        return [argv[0], *values.read_flags_from_files(argv[1:], force_gnu=False)]
    except UnicodeDecodeError as e:
        raise ConfigError(f'--flagfile: must be text ({e})') from None
