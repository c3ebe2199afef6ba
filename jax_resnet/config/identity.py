"""Which fields of a config make two runs the same, and where a run goes."""

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
"""Fields, or groups, that may differ when a run is continued: results depend on them by rounding at most."""

LONGEST_NAME = 230
"""Bytes of a folder's name; file systems end at 255, of which a suffix may need some."""


def compared(config: Mapping[str, Any]) -> dict[str, Any]:
    """By dotted name, the fields of a config that make a run what it is: with its seed, without NOT_COMPARED.

    A field that the config lacks has its default, and a shortcut left to the network is the one that it has.
    """
    fields = flatten(with_tuples(config))
    fields |= missing(fields)
    if 'model.shortcut' in fields:
        model = {name.removeprefix('model.'): v for name, v in fields.items() if name.startswith('model.')}
        fields['model.shortcut'] = effective_shortcut(model)
    return {name: value for name, value in fields.items() if not name.startswith(NOT_COMPARED)}


def recipe(config: Mapping[str, Any]) -> dict[str, Any]:
    """What `compared` gives, without the seed and the checkpoints to keep; equal for runs that are to be compared."""
    return {name: value for name, value in compared(config).items() if name not in ('seed', 'keep_every')}


def differences(there: Mapping[str, Any], here: Mapping[str, Any], but: tuple[str, ...] = ()) -> list[str]:
    """What makes the run of one config another than that of a second, field by field, for a message.

    Args:
        there, here: the configs.
        but: fields, or groups, that may differ.
    """
    a, b = compared(there), compared(here)
    return [
        f'config.{name} is {a.get(name)!r} there, {b.get(name)!r} here'
        for name in sorted({*a, *b})
        if a.get(name) != b.get(name) and not name.startswith(but)
    ]


def default_name(config_file: str, changes: Mapping[str, Any], seed: int) -> Path:
    """Where a run goes by default: `runs/<config name>[-<argument>][/<changes>]/seed<seed>`.

    Args:
        config_file: the config file, as on the command line: `configs/lab_cifar10.py:resnet56`.
        changes: the fields whose values are not the config file's, by dotted name.
        seed: of the run.
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
    """`default_name`; or, where a run lies there that an earlier version named otherwise, its folder.

    Args:
        config_file, changes, seed: as for `default_name`.
        given: all fields that the command line gives, those that have the config file's value too.
    """
    path = default_name(config_file, changes, seed)
    former = (_former_name(config_file, given, seed), _former_name(config_file, changes, seed))
    return next((folder for folder in (path, *former) if _is_run(folder)), path)


def _is_run(folder: Path) -> bool:
    try:
        return (folder / 'config.json').exists()
    except OSError:  # a name that is too long
        return False


def _former_name(config_file: str, given: Mapping[str, Any], seed: int) -> Path:
    """As earlier versions named it: all that was given, and cut after 130 characters, be it within a value."""
    folder = ','.join(_texts(given))
    if len(folder) > 150:
        folder = f'{folder[:130]}-{sha256(folder.encode()).hexdigest()[:16]}'
    return _path(config_file, folder, seed)


def _texts(changes: Mapping[str, Any]) -> list[str]:
    """Such as 'train_for=2_epochs', of those that count, as parts of a folder's name."""
    named = {k: v for k, v in changes.items() if k != 'seed' and not k.startswith(NOT_COMPARED)}
    if 'dataset.folder' in changes:  # other pictures are another run, though a run's may move
        named['dataset.folder'] = str(changes['dataset.folder']).rstrip('/')
    counted = [f'{k}={v}' for k, v in sorted(named.items())]
    return [_as_name(text) for text in counted]


def _as_name(text: str) -> str:
    """A part of a folder's name: it leads into no other folder."""
    return re.sub(r'[^\w.,=:%+-]', '', re.sub(r'[/ ]', '_', text))


def _path(config_file: str, folder: str, seed: int) -> Path:
    file, _, argument = config_file.partition(':')
    name = Path(file).stem + (f'-{_as_name(argument)}' if argument else '')
    return Path('runs', name, folder, f'seed{seed}')
