"""Loads configs at the door: from a config file and changes to it, or as a program gives them. Checks them once."""

import ast
import difflib
import os
import re
import runpy
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import NODEFAULT

from jax_resnet.config.fields import (
    FIELDS,
    NAME,
    NETWORKS,
    Config,
    Field,
    Group,
    Named,
    fields_with,
    flatten,
    list_fields,
)
from jax_resnet.config.identity import effective_shortcut
from jax_resnet.errors import ConfigError
from jax_resnet.own_parts import is_path

PACKAGE = Path(__file__).parents[1]

HOME = PACKAGE if (PACKAGE / 'configs').is_dir() else PACKAGE.parent
"""Has the folder `configs`: a copy in the installed package, or the repository."""


def load(file: str, changes: Mapping[str, Any]) -> tuple[Config, dict[str, Any]]:
    """Loads a config file and changes fields in it.

    Args:
        file: a config file with its argument, such as `configs/lab_cifar10.py:resnet56`; or its name, see `find`.
        changes: values, or strings as on a command line, by dotted name: {'seed': 2, 'train_for': '2 epochs'}.

    Returns:
        The config, and those changes that differ from the file, with their values.

    Raises:
        ConfigError: the file is missing or raises an error, a field is unknown, or a value is not allowed.
    """
    _, config = run(file, 'config')
    if not isinstance(config, Mapping) and not hasattr(config, 'to_dict'):
        returned = type(config).__name__
        raise ConfigError(f'--config={file}: its get_config must return a ConfigDict; it returns {returned}')
    before = as_config(config)
    if is_path(changes.get('model.name')):  # of an own network, see `as_config`
        changes = {**changes, 'model.name': 'own', 'model.function': changes['model.name']}
    plain = msgspec.to_builtins(before)
    if 'model.name' in changes:
        plain['model'] = _switched(before.model, changes['model.name'])
    unchanged = flatten(plain) | {'model.name': before.model.name}
    after = change(plain, changes)
    values = flatten(after)
    differing = {name: values[name] for name in changes if values[name] != unchanged.get(name, NODEFAULT)}
    if 'model.shortcut' in differing:
        model = flatten(after.model)
        if effective_shortcut(model) == effective_shortcut(model | {'shortcut': unchanged['model.shortcut']}):
            del differing['model.shortcut']  # the network's own shortcut was given by its name
    return after, differing


def as_config(config: Any) -> Config:
    """Converts and checks a config that a program gives. Missing fields get their defaults.

    Args:
        config: a Config, an ml_collections ConfigDict, or nested mappings.

    Raises:
        ConfigError: a field is unknown, or a value is not allowed; or the config is something else.
    """
    plain = _plain(config)
    if not isinstance(plain, dict):
        raise ConfigError(f'config: must be a Config, a ConfigDict or a mapping; got {type(config).__name__}')
    model = plain.get('model')
    if isinstance(model, dict) and is_path(model.get('name')):
        plain['model'] = {**model, 'name': 'own', 'function': model['name']}
    try:
        return msgspec.convert(plain, Config)
    except msgspec.ValidationError as e:
        raise ConfigError(_explain(str(e), plain)) from None


def change(config: Config | Mapping[str, Any], changes: Mapping[str, Any]) -> Config:
    """Returns a config with other values, or strings for them, by dotted name. Raises ConfigError as `as_config`."""
    plain = _plain(config)
    for name, value in changes.items():
        group, _, leaf = name.rpartition('.')
        field = find_field(name, plain.get('model', {}).get('name'))
        (plain.setdefault(group, {}) if group else plain)[leaf] = (
            parse(value, field) if isinstance(value, str) else value
        )
    return as_config(plain)


def find_field(name: str, network: str | None = None) -> Field:
    """Returns the field with a dotted name. Without a network, arguments of all networks are known.

    Raises:
        ConfigError: there is no such field. The message has the nearest names.
    """
    known = fields_with(network)
    if name in known:
        return known[name]
    if name in fields_with():
        arguments = ', '.join(list_fields(NETWORKS[str(network)]))
        raise ConfigError(f'config.{name}: is not an argument of {network}, which has {arguments}')
    inside = [f'config.{field}' for field in known if field.startswith(f'{name}.')]
    if inside:
        raise ConfigError(f'config.{name}: is a group of fields: {", ".join(inside)}')
    nearest = ', '.join(f'config.{field}' for field in _nearest(name, known))
    raise ConfigError(f'config.{name}: unknown field; the nearest are {nearest}')


def parse(string: str, field: Field) -> Any:
    """Converts the string for a value, as on a command line. A string that does not fit is returned as it is."""
    if string == 'None' and field.optional:
        return None
    if field.is_tuple:  # "('6 epochs', '9 epochs')", '6 epochs,9 epochs' or '5,9,13'
        parts = [part.strip(' \'"') for part in string.strip('()[] ').split(',')]
        return tuple(part if field.scalar is str else literal(part) for part in parts if part)
    if field.scalar is bool:
        return {'true': True, '1': True, 'false': False, '0': False}.get(string.lower(), string)
    return string if field.scalar is str else literal(string)


def find(file: str, category: str) -> Path:
    """Returns the path of a config file or study, which is looked up in the working directory, then in the package.

    Args:
        file: a path, perhaps with an argument; or the name of a file in the folder `configs` or `configs/studies`.
        category: 'config' or 'study'.
    """
    name = os.path.expanduser(file.partition(':')[0])  # noqa: PTH111 - a Path would drop './'
    if '/' not in name and not name.endswith('.py') and not Path(name).is_dir():
        name = f'configs/{"studies/" if category == "study" else ""}{name}.py'
    path = Path(name)
    return path if path.exists() or not (HOME / path).exists() else HOME / path


def run(file: str, category: str) -> tuple[dict[str, Any], Any]:
    """Runs a config file or study. Returns its variables, and what its `get_config` or `get_study` returns.

    Args:
        file: the file with its argument, see `find`.
        category: 'config' or 'study'.

    Raises:
        ConfigError: there is no such file, or it has no such function, or it raises an error.
    """
    path, (_, colon, argument) = find(file, category), file.partition(':')
    if not path.is_file():
        folder = {'config': 'configs', 'study': 'configs/studies'}[category]
        raise ConfigError(f'--{category}={path}: no such file; the files of this package are in its folder {folder}')
    sys.path.append(str(HOME))  # config files import `configs`
    try:
        variables = runpy.run_path(str(path))
        function = variables.get(f'get_{category}')
        result = function(*([argument] if colon else [])) if function else None
    except (Exception, SystemExit) as e:  # such a file may raise any error
        raise ConfigError(f'--{category}={file}: {type(e).__name__}: {" ".join(str(e).split())}') from e
    finally:
        last = sys.path[::-1].index(str(HOME))  # other threads may load configs, too
        del sys.path[len(sys.path) - 1 - last]
    if function is None:
        raise ConfigError(f'--{category}={file}: must be a {category} file; it has no function get_{category}')
    return variables, result


def _switched(model: Named, network: Any) -> dict[str, Any]:
    """The group `model` with another network. Arguments with the old default get the new default.

    The number of classes is kept, since it depends on the data. A required argument, such as the depth, is dropped if
    the new network does not have it, and is missing if only the new one has it.
    """
    if network not in NETWORKS:
        raise ConfigError(f'config.model.name={network!r}: must be {NAME.allowed}')
    old, new = list_fields(type(model)), list_fields(NETWORKS[network])
    result = {'name': network} | {name: field.default for name, field in new.items() if field.default is not NODEFAULT}
    for name, field in old.items():
        value = getattr(model, name)
        if name in new and (value != field.default or name == 'num_classes'):
            result[name] = value
        elif name not in new and field.default not in (value, NODEFAULT):
            raise ConfigError(
                f'config.model.name={network!r}: has no argument {name}, which the config sets to {value!r}; its '
                f'arguments are {", ".join(new)}'
            )
    return result


def _plain(value: Any) -> Any:
    """Converts a config to dicts, tuples, and Python's own numbers."""
    if isinstance(value, Group):
        return msgspec.to_builtins(value)
    if hasattr(value, 'to_dict'):
        value = value.to_dict()
    if hasattr(value, 'tolist'):  # of NumPy
        value = value.tolist()
    if isinstance(value, Mapping):
        return {name: _plain(v) for name, v in value.items()}
    return tuple(map(_plain, value)) if isinstance(value, list | tuple) else value


def _explain(message: str, plain: Mapping[str, Any]) -> str:
    """Makes a line for the user of an error of msgspec, such as 'Expected `int` >= 0 - at `$.seed`'."""
    problem, _, path = message.partition(' - at `$')
    name = re.match(r'\.?([\w.]*)', path)[1]  # type: ignore[index]
    flat = flatten(plain)
    network = flat.get('model.name')
    network = network if isinstance(network, str) and network in NETWORKS else None
    found = re.search(r'(required|unknown) field `(.*)`', problem)
    if found:
        name = f'{name}.{found[2]}'.lstrip('.')
        field = find_field(name, network)
        return f'config.{name}: is missing ({field.meaning}); must be {field.allowed}'
    if name in FIELDS or name in flat:
        return f'config.{name}={repr(flat[name])[:200]}: must be {find_field(name, network).allowed}'
    return f'config{name and "."}{name}: must be a group of fields by name'


def _nearest(name: str, known: Mapping[str, Field]) -> list[str]:
    """The three fields that an unknown name can mean: by their words, initials (lr), meanings, or spelling."""
    leaf = name.rpartition('.')[2]

    def likeness(field: str) -> float:
        words = field.rpartition('.')[2].split('_')
        words += [''.join(word[0] for word in words), *re.findall(r'\w+', known[field].meaning)]
        return (leaf in words) + difflib.SequenceMatcher(None, name, field).ratio()

    return sorted(known, key=likeness, reverse=True)[:3]


def literal(string: str) -> Any:
    """Converts a string as Python does: '0.1', "['a', 'b']". One that is no literal is returned as it is."""
    try:
        return ast.literal_eval(string)
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        return string
