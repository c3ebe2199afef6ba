"""The results folder: a small JSON file for each finished run. Tables are made from these; studies can reuse them."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from jax_resnet import files
from jax_resnet.config.fields import Config
from jax_resnet.config.identity import changed_recipe, default_name, recipe
from jax_resnet.config.loading import change
from jax_resnet.errors import ConfigError
from jax_resnet.files import shown
from jax_resnet.runs import schemas
from jax_resnet.runs.run_folder import RunFolder

RESULTS = Path('results')
"""The folder of results, in the repository; run folders are in `runs`."""


def path_of(result: Mapping[str, Any]) -> Path:
    """Returns the path for a result: `results/<config name>[-<argument>][/<changes>]/seed<seed>.json`."""
    folder = default_name(result['file'], result['changes'], result['fields'].seed)
    return RESULTS / folder.relative_to('runs').with_suffix('.json')


def weights_path_of(result: Mapping[str, Any]) -> Path:
    """Returns the path for published weights: `results/weights/<config name>[-<argument>][/<changes>].safetensors`."""
    folder = default_name(result['file'], result['changes'], 0).parent.relative_to('runs')
    return RESULTS / 'weights' / folder.with_name(f'{folder.name}.safetensors')


def of_run(run_folder: str | Path) -> dict[str, Any]:
    """Collects the result of a finished run from its run folder. The result does not hold the folder's name.

    Returns:
        A mapping with `file`, `changes` and `fields`, as in config.json, and `summary`; `environment`, one mapping for
        each start of the run; and `metrics`, one list for each field of metrics.jsonl, with one element for each
        evaluation. Numbers of the summary and the metrics have six digits.

    Raises:
        ConfigError: the folder is no run folder, or the run has no config file or is not finished.
    """
    folder = RunFolder(run_folder)
    origin, summary, metrics = folder.origin(), folder.summary(), folder.metrics()
    config = origin['fields']
    if summary is None:
        epoch = metrics[-1]['epoch'] if metrics else 0.0
        raise ConfigError(f'{folder.path}: must be finished; it is at epoch {epoch:.1f} of {config.length}')
    if origin['file'] is None:
        raise ConfigError(f'{folder.path}: must be a run of a config file; its config.json names none')
    curves = {name: [_round(line[name]) for line in metrics] for name in metrics[-1]} if metrics else {}
    return {
        'file': origin['file'],
        'changes': changed_recipe(origin['changes'], config),
        'fields': portable(config),
        'summary': _round(summary),
        'environment': folder.starts(),
        'metrics': curves,
    }


def portable(config: Config) -> Config:
    """Returns the config without the paths of this machine's data folders."""
    return change(config, {'dataset.data_dir': None, 'dataset.manual_dir': None})


def write(result: Mapping[str, Any]) -> Path:
    """Writes the file of a result and returns its path. Writing the same result again changes nothing.

    Raises:
        ConfigError: the file already holds the result of another run of this config and seed; or it cannot be written.
    """
    path = path_of(result)
    content = as_text(result).encode()
    try:
        if path.exists() and files.read(path) != content:
            raise ConfigError(f'{path}: has the result of another run of this config and seed; delete it first')
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write(path, content)
    except OSError as e:
        raise ConfigError(f'{shown(path)}: cannot be written ({e.strerror})') from None
    return path


def as_text(value: Any) -> str:
    """Returns the value as JSON, with each list of numbers or texts on one line."""
    return _as_text(value, '\n') + '\n'


def read(path: Path) -> dict[str, Any]:
    """Reads a result. Raises ConfigError if its file is missing or damaged."""
    return _read(path, path.stat().st_mtime_ns if path.exists() else 0)


def paths(folder: Path = RESULTS) -> list[Path]:
    """Returns the paths of all results, sorted."""
    return sorted(folder.glob('**/seed*.json'))


def find(config: Config) -> Path | None:
    """Returns the file of the result with the same recipe and seed as `config`, or None.

    Raises:
        ConfigError: a file in the results folder is damaged.
    """
    wanted = _identity(config)
    return next((path for path in paths() if _identity(read(path)['fields']) == wanted), None)


@cache
def _read(path: Path, changed: int) -> dict[str, Any]:
    result: dict[str, Any] = schemas.read(path, schemas.Result)
    return result


def _as_text(value: Any, line: str) -> str:
    if isinstance(value, Config):
        value = msgspec.to_builtins(value, order='sorted')
    is_mapping = isinstance(value, Mapping)
    if not value or not (is_mapping or (isinstance(value, list | tuple) and isinstance(value[0], Mapping))):
        return json.dumps(value, allow_nan=False, ensure_ascii=False)
    names = [f'{json.dumps(name, ensure_ascii=False)}: ' for name in value] if is_mapping else [''] * len(value)
    parts = [_as_text(part, f'{line} ') for part in (value.values() if is_mapping else value)]
    begin, end = '{}' if is_mapping else '[]'
    inside = ','.join(f'{line} {name}{part}' for name, part in zip(names, parts, strict=True))
    return f'{begin}{inside}{line}{end}'


def _identity(config: Config) -> dict[str, Any]:
    return {**recipe(config), 'seed': config.seed}


def _round(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _round(v) for name, v in value.items()}
    return float(f'{value:.6g}') if isinstance(value, float) else value
