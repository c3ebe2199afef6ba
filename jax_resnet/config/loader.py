"""Loads config files and changes their fields, as on a command line. `main.py` and the studies use this module."""

import ast
import itertools
import runpy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from absl import flags
from ml_collections import ConfigDict
from ml_collections.config_dict import placeholder

from jax_resnet.config.completion import flatten, switched, with_defaults
from jax_resnet.config.fields import check_name, fields_of
from jax_resnet.config.kinds import Field, shown
from jax_resnet.config.model_fields import REQUIRED, effective_shortcut
from jax_resnet.errors import ConfigError


def _as_tuple(text: str) -> tuple[Any, ...]:
    """Parses "('6 epochs', '9 epochs')" or '5,9,13'. A text that is not Python, such as '6 epochs', is one element."""
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return (text,)
    return tuple(value) if isinstance(value, tuple | list) else (value,)


def _as_value(text: str) -> Any:
    """Parses a value for a field that is None, whose type is unknown. A text that is not Python stays a text."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


_READERS: dict[type, Callable[[str], Any]] = {
    bool: flags.BooleanParser().parse,
    int: flags.IntegerParser().parse,
    float: flags.FloatParser().parse,
    str: str,
    tuple: _as_tuple,
    type(None): _as_value,
}
"""By type, the function that converts a text to a value."""


@dataclass(frozen=True)
class Loaded:
    """A loaded config and the fields that were changed in it.

    Attributes:
        config: the complete config, locked.
        changes: fields on the command line whose values differ from the config file's, by dotted name.
    """

    config: ConfigDict
    changes: Mapping[str, Any]


def load(file: str, changes: Mapping[str, Any]) -> tuple[ConfigDict, dict[str, Any]]:
    """Loads a config file with changed fields. Returns the config and the changes that differ from the file, typed.

    Args:
        file: for example `configs/lab_cifar10.py:resnet56`.
        changes: values or their texts, by dotted name: {'seed': 2, 'train_for': '2 epochs'}.

    Raises:
        ConfigError: a field is unknown; or as `read`.
    """
    for name in changes:
        check_name(name)
    loaded = read(file, {name: [str(value)] for name, value in changes.items()})
    return loaded.config, dict(loaded.changes)


def read(file: str, given: Mapping[str, Sequence[str]]) -> Loaded:
    """Loads a config file, completes it, and changes fields in it. `model.name` is always changed first.

    Args:
        file: for example `configs/lab_cifar10.py:resnet56`.
        given: texts for each field, by dotted name: one text, or several that make a tuple.

    Raises:
        ConfigError: the file is missing or raises an error, the config lacks a field, or a value has the wrong type.
    """
    try:
        config = _from_file(file)
        with config.unlocked(), config.ignore_type():
            return _changed(config, given, file)
    except RecursionError:
        raise ConfigError(f'--config={file}: its config must not contain itself') from None


def _changed(config: ConfigDict, given: Mapping[str, Sequence[str]], file: str) -> Loaded:
    _complete(config)
    network = flatten(config.to_dict()).get('model.name')
    if 'model.name' in given and network is not None:
        model = switched(config.model.to_dict(), given['model.name'][-1])
        # The only argument that can still be missing is the depth, an int.
        config.model = {name: placeholder(int) if value is REQUIRED else value for name, value in model.items()}
    before = flatten(config.to_dict())
    fields = fields_of(before.get('model.name'))
    values = {}
    for name, words in given.items():
        check_name(name, before.get('model.name'))
        if name not in before:
            raise ConfigError(f'config.{name}: missing from --config={file}')
        group, _, leaf = name.rpartition('.')
        holder = config[group] if group else config
        holder[leaf] = values[name] = _converted(name, words, holder.get_type(leaf), fields[name])
    changes = {name: v for name, v in values.items() if v != (network if name == 'model.name' else before[name])}
    model = config.model.to_dict() if 'model.shortcut' in changes else {}
    if model and effective_shortcut(model) == effective_shortcut(model | {'shortcut': before['model.shortcut']}):
        del changes['model.shortcut']  # the default shortcut was given by its name
    return Loaded(config, changes)


def _converted(name: str, words: Sequence[str], kind: type, field: Field) -> Any:
    """Converts texts to a value of the field's type. The value is not checked further."""
    if field.optional and words[-1] == 'None':
        return None
    try:
        parts = [_READERS.get(kind, ast.literal_eval)(word) for word in words]
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError) as e:
        written = words[0] if len(words) == 1 else tuple(words)
        raise ConfigError(f'config.{name}={shown(written)}: must be {field.allowed}') from e
    return tuple(itertools.chain.from_iterable(parts)) if kind is tuple else parts[-1]


def _complete(config: ConfigDict) -> None:
    """Adds the defaults of the network's arguments to a config, and turns its lists into tuples."""
    if isinstance(config.get('model'), ConfigDict):
        for name, value in with_defaults(config.model.to_dict()).items():
            if name not in config.model:
                config.model[name] = value
    for holder in (config, *(group for group in config.values() if isinstance(group, ConfigDict))):
        for name, value in holder.items():
            if isinstance(value, list):
                holder[name] = tuple(value)


def _from_file(file: str) -> ConfigDict:
    path, colon, argument = file.partition(':')
    if not Path(path).is_file():
        raise ConfigError(f'--config={path}: no such file; the configs are in the folder configs of the repository')
    try:
        get_config = runpy.run_path(path).get('get_config')
        config = get_config(*([argument] if colon else [])) if get_config else None
        if isinstance(config, Mapping):
            config = ConfigDict(config)
    except (Exception, SystemExit) as e:  # a config file may raise any error
        raise ConfigError(f'--config={file}: {type(e).__name__}: {" ".join(str(e).split())}') from e
    if get_config is None:
        raise ConfigError(f'--config={file}: must be a config file; it has no function get_config')
    if not isinstance(config, ConfigDict):
        kind = type(config).__name__
        raise ConfigError(f'--config={file}: its get_config must return a ConfigDict; it returns {kind}')
    return config
