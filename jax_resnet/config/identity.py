"""The config of a run, once its run has begun: its fields by dotted name, which of them count, and where it goes."""

import re
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from jax_resnet.errors import ConfigError

NOT_COMPARED = (
    'dataset.data_dir',
    'dataset.manual_dir',
    'parallel.',
    'memory.rematerialize',
    'checkpoint_every',
    'log_every',
)
"""Fields, or groups, that may differ when a run is continued: results depend on them by rounding at most."""

LATER_FIELDS = {'init_from': None, 'loss.label_smoothing': 0.0, 'schedule.name': 'piecewise', 'memory.microbatches': 1}
"""What a run meant whose config is older than these fields."""


def flatten(config: Mapping[str, Any], prefix: str = '') -> dict[str, Any]:
    """{'dataset.name': 'cifar10', ...} of nested groups."""
    flat: dict[str, Any] = {}
    for name, value in config.items():
        flat |= flatten(value, f'{prefix}{name}.') if isinstance(value, Mapping) else {prefix + name: value}
    return flat


def compared(config: Mapping[str, Any]) -> dict[str, Any]:
    """By dotted name, the fields of a config that make a run what it is: with its seed, without NOT_COMPARED."""
    fields = LATER_FIELDS | flatten(_with_tuples(config))
    return {name: value for name, value in fields.items() if not name.startswith(NOT_COMPARED)}


def recipe(config: Mapping[str, Any]) -> dict[str, Any]:
    """What `compared` gives, without the seed and the checkpoints to keep; equal for runs that are to be compared."""
    return {name: value for name, value in compared(config).items() if name not in ('seed', 'keep_every')}


def checked(config: Any, path: Path) -> dict[str, Any]:
    """A config that was read from a file, its sequences as tuples. Raises ConfigError where it lacks a group."""
    for group in ('batch_norm', 'dataset', 'model', 'optimizer', 'precision'):
        if not isinstance(config, dict) or not isinstance(config.get(group), dict):
            raise ConfigError(f'{path} is damaged: it has no {group}')
    with_tuples: dict[str, Any] = _with_tuples(config)
    return with_tuples


def default_name(config_file: str, overrides: Mapping[str, Any], seed: int) -> Path:
    """Where a run goes by default: `runs/<config name>[-<argument>][/<overrides>]/seed<seed>`.

    Args:
        config_file: the config file, as on the command line: `configs/lab_cifar10.py:resnet56`.
        overrides: the fields that the command line changes, by dotted name.
        seed: of the run.
    """
    file, _, argument = config_file.partition(':')
    name = Path(file).stem + (f'-{argument}' if argument else '')
    changes = [f'{k}={v}' for k, v in sorted(overrides.items()) if k != 'seed' and not k.startswith(NOT_COMPARED)]
    folder = re.sub(r'[^\w.,=:%+-]', '', re.sub(r'[/ ]', '_', ','.join(changes)))
    if len(folder) > 150:  # names of files end at 255 bytes
        folder = f'{folder[:130]}-{sha256(folder.encode()).hexdigest()[:16]}'
    return Path('runs', name, folder, f'seed{seed}')


def _with_tuples(value: Any) -> Any:
    """JSON has lists alone; the sequences of a config are tuples."""
    if isinstance(value, dict):
        return {name: _with_tuples(v) for name, v in value.items()}
    return tuple(map(_with_tuples, value)) if isinstance(value, list) else value
