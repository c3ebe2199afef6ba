"""The results folder: a small JSON file for each finished run. Tables are made from these; studies can reuse them."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from jax_resnet import files
from jax_resnet.config.fields import Config
from jax_resnet.config.identity import default_name, recipe
from jax_resnet.config.loading import change
from jax_resnet.errors import ConfigError
from jax_resnet.files import shown
from jax_resnet.runs import run

RESULTS = Path('results')
"""The folder of results, in the repository; run folders are in `runs`."""


def result_path(result: Mapping[str, Any]) -> Path:
    """Returns the path for a result: `results/<config name>[-<argument>][/<changes>]/seed<seed>.json`."""
    folder = default_name(result['file'], result['changes'], result['fields'].seed)
    return RESULTS / folder.relative_to('runs').with_suffix('.json')


def weights_path(result: Mapping[str, Any]) -> Path:
    """Returns the path for published weights: `results/weights/<config name>[-<argument>][/<changes>].safetensors`."""
    folder = default_name(result['file'], result['changes'], 0).parent.relative_to('runs')
    return RESULTS / 'weights' / folder.with_name(f'{folder.name}.safetensors')


def collect(run_folder: str | Path) -> dict[str, Any]:
    """Collects the result of a finished run from its run folder.

    The result has no path of this machine. Numbers of the summary and the metrics have six digits.

    Returns:
        The fields of `schemas.Result`.

    Raises:
        ConfigError: the folder is no run folder, or the run has no config file or is not finished.
    """
    found = run.read(Path(run_folder))
    if found.config is None or found.state != run.FINISHED:
        state = 'it has no config.json' if found.config is None else f'it is {found.state}, {found.detail}'
        raise ConfigError(f'{shown(run_folder)}: must be the folder of a finished run; {state}')
    if found.file is None:
        raise ConfigError(f'{shown(run_folder)}: must be a run of a config file; its config.json names none')
    return {
        'file': found.file,
        'changes': dict(found.changes),
        'fields': change(found.config, {'dataset.data_dir': None, 'dataset.manual_dir': None}),
        'summary': _round(found.summary),
        'environment': list(found.starts),
        'metrics': [_round(line) for line in found.metrics],
    }


def write(result: Mapping[str, Any]) -> Path:
    """Writes the file of a result and returns its path. Writing the same result again changes nothing.

    Raises:
        ConfigError: the file already holds the result of another run of this config and seed; or it cannot be written.
    """
    path = result_path(result)
    content = as_text(result).encode()
    try:
        if path.exists() and files.read(path) != content:
            raise ConfigError(f'{path}: has the result of another run of this config and seed; delete it first')
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write(path, content)
    except OSError as e:
        raise ConfigError(f'{shown(path)}: cannot be written ({e.strerror})') from None
    return path


def as_text(result: Mapping[str, Any]) -> str:
    """Returns a result as JSON, with a line for each of its fields, start and line of metrics."""

    def line(value: Any) -> str:
        return json.dumps(value, allow_nan=False, ensure_ascii=False, default=msgspec.to_builtins)

    def lines(value: Any) -> str:
        return '[\n  ' + ',\n  '.join(map(line, value)) + '\n ]' if isinstance(value, list) else line(value)

    return '{\n ' + ',\n '.join(f'"{name}": {lines(value)}' for name, value in result.items()) + '\n}\n'


def paths(folder: Path = RESULTS) -> list[Path]:
    """Returns the paths of all results, sorted."""
    return sorted(folder.glob('**/seed*.json'))


def find(config: Config) -> Path | None:
    """Returns the file of the result with the same recipe and seed as `config`, or None.

    Raises:
        ConfigError: a file in the results folder is damaged.
    """
    wanted = recipe(config), config.seed
    runs = map(run.read, paths())
    return next((found.folder for found in runs if (found.recipe, found.seed) == wanted), None)


def _round(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _round(v) for name, v in value.items()}
    return float(f'{value:.6g}') if isinstance(value, float) else value
