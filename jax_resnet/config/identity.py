"""Decides whether two configs describe the same run, and names run folders."""

import re
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from jax_resnet.config.fields import FIELDS, FREE, Config, flatten

LONGEST_NAME = 230
"""Maximum length of a folder's name in bytes. File systems allow 255; the rest is for a suffix."""


def compared(config: Config) -> dict[str, Any]:
    """The fields of a config that identify a run, by dotted name: all fields except those marked FREE."""
    values = {name: value for name, value in flatten(config).items() if not _is_free(name)}
    if 'model.shortcut' in values:
        values['model.shortcut'] = effective_shortcut(flatten(config.model))
    return values


def recipe(config: Config) -> dict[str, Any]:
    """The fields on which a result depends, except the seed: those of `compared`, and the folder of own pictures.

    A run that continues may find its pictures in another folder, but two runs on different folders have different
    recipes. A known data set is the same wherever it lies.
    """
    folder = config.dataset.folder
    pictures = {'dataset.folder': folder.rstrip('/')} if folder and config.dataset.name == 'folder' else {}
    return {name: value for name, value in compared(config).items() if name != 'seed'} | pictures


def effective_shortcut(model: Mapping[str, Any]) -> Any:
    """The shortcut that a network uses. A value of '' becomes the default, as in `models`.

    Args:
        model: the network's name and its arguments.
    """
    if model.get('shortcut') != '':
        return model.get('shortcut')
    is_deep = model['name'] == 'imagenet_resnet' and model['depth'] not in (18, 34)
    return 'B' if is_deep or model.get('unit') == 'bottleneck' else 'A'


def differences(recorded: Config, given: Config, may_differ: tuple[str, ...] = ()) -> list[str]:
    """Lists the fields in which two configs describe different runs, as strings for a message.

    Args:
        recorded: the config of an existing run.
        given: the other config.
        may_differ: fields and groups that are not listed.
    """
    a, b = compared(recorded), compared(given)
    return [
        f'config.{name} is {a.get(name)!r} in the existing run, {b.get(name)!r} in this one'
        for name in sorted({*a, *b})
        if a.get(name) != b.get(name) and not name.startswith(may_differ)
    ]


def config_name(file: str) -> str:
    """The name of a config: 'resnet20_cifar10', or with its argument 'lab_cifar10:resnet56'."""
    path, colon, argument = file.partition(':')
    return Path(path).stem + colon + argument


def default_name(config_file: str, changes: Mapping[str, Any], seed: int) -> Path:
    """The default run folder: `runs/<config name>[-<argument>][/<changes>]/seed<seed>`.

    Args:
        config_file: the config file, as on the command line: `configs/lab_cifar10.py:resnet56`.
        changes: fields whose values differ from the config file's, by dotted name.
        seed: seed of the run.
    """
    name = _shortened(_as_name(config_name(config_file).replace(':', '-', 1)))
    return Path('runs', name, _changes_name(changes), f'seed{seed}')


def _changes_name(changes: Mapping[str, Any]) -> str:
    """Joins strings such as 'train_for=2_epochs', one for each change that affects the run, to a folder's name.

    Another folder of pictures means another run, although a run's own folder may move. So `dataset.folder` gets a
    digest if another folder could have the same string, as a/b and a_b have.
    """
    named = {name: value for name, value in changes.items() if name != 'seed' and not _is_free(name)}
    if 'dataset.folder' in changes:
        folder = str(changes['dataset.folder']).rstrip('/')
        is_ambiguous = '_' in folder or _as_name(folder) != folder.replace('/', '_')
        digest = f'-{sha256(folder.encode()).hexdigest()[:8]}' if is_ambiguous else ''
        named['dataset.folder'] = folder + digest
    return _shortened(','.join(_as_name(f'{k}={v}') for k, v in sorted(named.items())))


def _shortened(name: str) -> str:
    """Replaces the end of a name that would be too long by a digest."""
    encoded = name.encode()
    if len(encoded) > LONGEST_NAME:
        encoded = encoded[: LONGEST_NAME - 17] + f',{sha256(encoded).hexdigest()[:16]}'.encode()
    return encoded.decode(errors='ignore')


def _as_name(string: str) -> str:
    """Removes characters so that a string can be part of a folder's name, and cannot lead to another folder."""
    return re.sub(r'[^\w.,=:%+-]', '', re.sub(r'[/ ]', '_', string))


def _is_free(name: str) -> bool:
    return name in FIELDS and FREE in FIELDS[name].marks
