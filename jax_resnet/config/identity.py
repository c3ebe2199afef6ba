"""Decides whether two configs describe the same run, and names run folders."""

import re
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from jax_resnet.config.completion import flatten
from jax_resnet.config.model_fields import effective_shortcut

NOT_COMPARED = (
    'dataset.data_dir',
    'dataset.manual_dir',
    'dataset.folder',
    'dataset.check',
    'pictures.threads',
    'pictures.processes',
    'parallel.',
    'gpu.',
    'memory.rematerialize',
    'precision.deterministic',
    'checkpoint_every',
    'evaluate_every',
    'keep_every',
    'log_every',
)
"""Fields and groups that may change when a run is continued. They change results at most by rounding."""

LONGEST_NAME = 230
"""Maximum length of a folder's name in bytes. File systems allow 255; the rest is for a suffix."""


def compared(config: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a config that identify a run, by dotted name: all fields, with the seed, except NOT_COMPARED."""
    return {name: value for name, value in effective_fields(config).items() if not name.startswith(NOT_COMPARED)}


def effective_fields(config: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a config, by dotted name. A shortcut of '' becomes the one that the network uses by default."""
    fields = flatten(config)
    if 'model.shortcut' in fields:
        model = {name.removeprefix('model.'): v for name, v in fields.items() if name.startswith('model.')}
        fields['model.shortcut'] = effective_shortcut(model)
    return fields


def recipe(config: Mapping[str, Any]) -> dict[str, Any]:
    """The fields on which a result depends, except the seed: those of `compared`, and the folder of own pictures.

    A run that continues may find its pictures in another folder, but two runs on different folders have different
    recipes. A known data set is the same wherever it lies.
    """
    fields = flatten(config)
    kept = {name: value for name, value in compared(config).items() if name != 'seed'}
    if fields.get('dataset.name') == 'folder':
        kept['dataset.folder'] = str(fields.get('dataset.folder')).rstrip('/')
    return kept


def changed_recipe(changes: Mapping[str, Any], config: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the fields that a run changed in its config file on which its result depends, except the seed.

    Args:
        changes: the changed fields, by dotted name.
        config: the whole config of the run.
    """
    return {name: value for name, value in recipe(config).items() if name in changes}


def differences(recorded: Mapping[str, Any], given: Mapping[str, Any], may_differ: tuple[str, ...] = ()) -> list[str]:
    """Lists the fields in which two configs describe different runs, as texts for a message.

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


def config_name(config_file: str) -> str:
    """The name of a config: 'resnet20_cifar10', or with its argument 'lab_cifar10:resnet56'."""
    path, colon, argument = config_file.partition(':')
    return Path(path).stem + colon + argument


def default_name(config_file: str, changes: Mapping[str, Any], seed: int) -> Path:
    """The default run folder: `runs/<config name>[-<argument>][/<changes>]/seed<seed>`.

    Args:
        config_file: the config file, as on the command line: `configs/lab_cifar10.py:resnet56`.
        changes: fields whose values differ from the config file's, by dotted name.
        seed: seed of the run.
    """
    return Path(
        'runs', _as_name(config_name(config_file).replace(':', '-', 1)), _joined(_texts(changes)), f'seed{seed}'
    )


def _texts(changes: Mapping[str, Any]) -> list[str]:
    """Texts such as 'train_for=2_epochs' for a folder's name, one for each change that affects the run.

    Another folder of pictures means another run, although a run's own folder may move. So the text of `dataset.folder`
    gets a digest if another folder could have the same text, as a/b and a_b have.
    """
    named = {k: v for k, v in changes.items() if k != 'seed' and not k.startswith(NOT_COMPARED)}
    if 'dataset.folder' in changes:
        folder = str(changes['dataset.folder']).rstrip('/')
        is_ambiguous = '_' in folder or _as_name(folder) != folder.replace('/', '_')
        digest = f'-{sha256(folder.encode()).hexdigest()[:8]}' if is_ambiguous else ''
        named['dataset.folder'] = folder + digest
    return [_as_name(f'{k}={v}') for k, v in sorted(named.items())]


def _joined(texts: list[str]) -> str:
    """Joins texts to a folder's name. A digest replaces the last ones of a name that would be too long."""
    name, kept = ','.join(texts), list(texts)
    if len(name.encode()) <= LONGEST_NAME:
        return name
    digest = sha256(name.encode()).hexdigest()[:16]
    while kept and len(','.join([*kept, digest]).encode()) > LONGEST_NAME:
        kept.pop()
    return ','.join([*kept, digest])


def _as_name(text: str) -> str:
    """Removes characters so that the text can be part of a folder's name, and cannot lead to another folder."""
    return re.sub(r'[^\w.,=:%+-]', '', re.sub(r'[/ ]', '_', text))
