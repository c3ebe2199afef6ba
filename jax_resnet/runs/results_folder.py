"""The results folder: a small JSON file for each finished run. Tables are made from these; studies can reuse them."""

import json
import math
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jax_resnet import files
from jax_resnet.config.identity import default_name, recipe
from jax_resnet.errors import ConfigError
from jax_resnet.files import shown
from jax_resnet.runs import schemas
from jax_resnet.runs.parsing import parse
from jax_resnet.runs.run_folder import RunFolder

RESULTS = Path('results')
"""The folder of results, in the repository; run folders are in `runs`."""


def path_of(config_file: str, overrides: Mapping[str, Any], seed: int) -> Path:
    """Returns the path for the result of a run: `results/<config name>[-<argument>][/<overrides>]/seed<seed>.json`."""
    *parts, name = _parts(config_file, overrides, seed)
    return Path(RESULTS, *parts, f'{name}.json')


def weights_path_of(config_file: str, overrides: Mapping[str, Any]) -> Path:
    """Returns the path of published weights: `results/weights/<config name>[-<argument>][/<overrides>].safetensors`."""
    *parts, name = _parts(config_file, overrides, 0)[:-1]
    return Path(RESULTS, 'weights', *parts, f'{name}.safetensors')


def of_run(run_folder: str | Path, config_file: str, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Collects the result of a finished run from its run folder. The result does not hold the folder's name.

    Args:
        run_folder: the path of the run folder.
        config_file: the config file of the run, as on the command line of `main.py`.
        overrides: the fields that the run changed in that config, by dotted name.

    Returns:
        A mapping with `config_file`, `overrides`, `config` and `summary`; `environment`, one mapping for each start of
        the run; and `metrics`, one list for each field of metrics.jsonl, with one element for each evaluation. Numbers
        of the summary and the metrics have six digits.

    Raises:
        ConfigError: the folder is no run folder, or the run is not finished, a rehearsal, or has files that disagree.
    """
    folder = RunFolder(run_folder)
    config, summary, metrics = folder.config(), folder.summary(), folder.metrics()
    if summary is None:
        epoch = metrics[-1]['epoch'] if metrics else 0.0
        raise ConfigError(
            f'{folder.path}: must be finished; it is at epoch {epoch:.1f} (train_for={config["train_for"]!r})'
        )
    if folder.is_rehearsal():
        raise ConfigError(f'{folder.path}: must not be a rehearsal, whose numbers are not results')
    _check_agreement(summary, metrics, folder.path)
    curves = {name: [_round(line[name]) for line in metrics] for name in metrics[-1]} if metrics else {}
    return {
        'config_file': config_file,
        'overrides': dict(overrides),
        'config': portable(config),
        'summary': _round(summary),
        'environment': folder.starts(),
        'metrics': curves,
    }


def _check_agreement(summary: Mapping[str, Any], metrics: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Raises ConfigError if the summary contradicts the last line of the metrics, or its own counts."""
    steps, count = [line['step'] for line in metrics], summary['test_count']
    if steps != sorted(set(steps)) or not steps or steps[-1] != summary['steps']:
        raise ConfigError(f'{shown(path)}: metrics.jsonl must end at step {summary["steps"]:,}, as summary.json does')
    error_by_counts = 100 * (count - summary['test_correct']) / count if count else math.inf
    for error in (error_by_counts, metrics[-1]['test_error']):
        if not math.isclose(error, summary['final_test_error'], abs_tol=1e-3):
            raise ConfigError(
                f'{shown(path)}: summary.json has final_test_error={summary["final_test_error"]:g}, but its counts '
                f'give {error_by_counts:g}, and the last line of metrics.jsonl has {metrics[-1]["test_error"]:g}'
            )


def portable(config: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the config without the paths of this machine's data folders."""
    return {**config, 'dataset': {**config['dataset'], 'data_dir': None, 'manual_dir': None}}


def write(result: Mapping[str, Any]) -> Path:
    """Writes the file of a result and returns its path. Writing the same result again changes nothing.

    Raises:
        ConfigError: the file already holds the result of another run of this config and seed; or it cannot be written.
    """
    path = path_of(result['config_file'], result['overrides'], result['config']['seed'])
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
    try:
        return _read(path, path.stat().st_mtime_ns)
    except OSError as e:
        raise ConfigError(f'{shown(path)} cannot be read ({e.strerror})') from None


def paths(folder: Path = RESULTS) -> list[Path]:
    """Returns the paths of all results, sorted."""
    return sorted(folder.glob('**/seed*.json'))


def find(config: Mapping[str, Any]) -> Path | None:
    """Returns the file of the result with the same recipe and seed as `config`, or None.

    Raises:
        ConfigError: a file in the results folder is damaged.
    """
    wanted = _identity(config)
    return next((path for path in paths() if _identity(read(path)['config']) == wanted), None)


@cache
def _read(path: Path, changed: int) -> dict[str, Any]:
    result: dict[str, Any] = parse(files.read(path), schemas.Result, shown(path))
    return result


def _as_text(value: Any, line: str) -> str:
    is_mapping = isinstance(value, Mapping)
    if not value or not (is_mapping or (isinstance(value, list | tuple) and isinstance(value[0], Mapping))):
        return json.dumps(value, allow_nan=False, ensure_ascii=False)
    names = [f'{json.dumps(name, ensure_ascii=False)}: ' for name in value] if is_mapping else [''] * len(value)
    parts = [_as_text(part, f'{line} ') for part in (value.values() if is_mapping else value)]
    begin, end = '{}' if is_mapping else '[]'
    inside = ','.join(f'{line} {name}{part}' for name, part in zip(names, parts, strict=True))
    return f'{begin}{inside}{line}{end}'


def _identity(config: Mapping[str, Any]) -> dict[str, Any]:
    return {**recipe(config), 'seed': config['seed']}


def _parts(config_file: str, overrides: Mapping[str, Any], seed: int) -> tuple[str, ...]:
    parts = default_name(config_file, overrides, seed).parts[1:]
    if '..' in parts:
        raise ConfigError(f'{config_file}: must name a folder in {RESULTS}')
    return parts


def _round(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _round(v) for name, v in value.items()}
    return float(f'{value:.6g}') if isinstance(value, float) else value
