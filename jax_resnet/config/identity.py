"""Decides whether two configs describe the same run, and names run folders."""

import re
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from jax_resnet.config.completion import flatten, missing, with_tuples
from jax_resnet.config.model_fields import effective_shortcut

NOT_COMPARED = (
    'dataset.data_dir',
    'dataset.manual_dir',
    'dataset.folder',
    'dataset.check',
    'pictures.threads',
    'pictures.processes',
    'parallel.',
    'gpu.fused_kernels',
    'memory.rematerialize',
    'precision.deterministic',
    'checkpoint_every',
    'log_every',
)
"""Fields and groups that may change when a run is continued. They change results at most by rounding."""

LONGEST_NAME = 230
"""Maximum length of a folder's name in bytes. File systems allow 255; the rest is for a suffix."""


def compared(config: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a config that identify a run, by dotted name: all fields, with the seed, except NOT_COMPARED.

    Missing fields get their defaults. A shortcut of '' becomes the shortcut that the network uses by default.
    """
    fields = flatten(with_tuples(config))
    fields |= missing(fields)
    if 'model.shortcut' in fields:
        model = {name.removeprefix('model.'): v for name, v in fields.items() if name.startswith('model.')}
        fields['model.shortcut'] = effective_shortcut(model)
    return {name: value for name, value in fields.items() if not name.startswith(NOT_COMPARED)}


def recipe(config: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of `compared` without `seed` and `keep_every`. Runs that differ only in these have equal recipes."""
    return {name: value for name, value in compared(config).items() if name not in ('seed', 'keep_every')}


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


def default_name(config_file: str, changes: Mapping[str, Any], seed: int) -> Path:
    """The default run folder: `runs/<config name>[-<argument>][/<changes>]/seed<seed>`.

    Args:
        config_file: the config file, as on the command line: `configs/lab_cifar10.py:resnet56`.
        changes: fields whose values differ from the config file's, by dotted name.
        seed: seed of the run.
    """
    texts = _texts(changes)
    folder = ','.join(texts)
    if len(folder.encode()) > LONGEST_NAME:
        digest = sha256(folder.encode()).hexdigest()[:16]
        while texts and len(','.join([*texts, digest]).encode()) > LONGEST_NAME:
            texts.pop()
        folder = ','.join([*texts, digest])
    return _path(config_file, folder, seed)


def find_folder(config_file: str, changes: Mapping[str, Any], given: Mapping[str, Any], seed: int) -> Path:
    """Returns `default_name`, or the name of earlier versions of this package if only that folder has a run.

    Args:
        config_file, changes, seed: as for `default_name`.
        given: all fields on the command line, including those with the same value as in the config file.
    """
    path = default_name(config_file, changes, seed)
    former = (_former_name(config_file, given, seed), _former_name(config_file, changes, seed))
    return next((folder for folder in (path, *former) if _is_run(folder)), path)


def _is_run(folder: Path) -> bool:
    try:
        return (folder / 'config.json').exists()
    except OSError:  # the name is too long
        return False


def _former_name(config_file: str, given: Mapping[str, Any], seed: int) -> Path:
    """The folder's name in earlier versions: it had all given fields, and was cut after 130 characters."""
    folder = ','.join(_texts(given))
    if len(folder) > 150:
        folder = f'{folder[:130]}-{sha256(folder.encode()).hexdigest()[:16]}'
    return _path(config_file, folder, seed)


def _texts(changes: Mapping[str, Any]) -> list[str]:
    """Texts such as 'train_for=2_epochs' for a folder's name, one for each change that affects the run."""
    named = {k: v for k, v in changes.items() if k != 'seed' and not k.startswith(NOT_COMPARED)}
    if 'dataset.folder' in changes:  # another folder means another run, but a run's own folder of pictures may move
        named['dataset.folder'] = str(changes['dataset.folder']).rstrip('/')
    return [_as_name(f'{k}={v}') for k, v in sorted(named.items())]


def _as_name(text: str) -> str:
    """Removes characters so that the text can be part of a folder's name, and cannot lead to another folder."""
    return re.sub(r'[^\w.,=:%+-]', '', re.sub(r'[/ ]', '_', text))


def _path(config_file: str, folder: str, seed: int) -> Path:
    file, _, argument = config_file.partition(':')
    name = Path(file).stem + (f'-{_as_name(argument)}' if argument else '')
    return Path('runs', name, folder, f'seed{seed}')
