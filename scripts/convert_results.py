"""Converts a result of commit 8237b8d to a folder: `python scripts/convert_results.py results/**/seed*.json`.

A run that was trained with that commit is added by its own `results add`, and its file is then replaced by this script.
"""

import itertools
import json
import sys
from pathlib import Path
from typing import Any

from jax_resnet.config.fields import Config, fields_with, flatten
from jax_resnet.config.identity import changed_recipe
from jax_resnet.config.loading import as_config
from jax_resnet.runs.schemas import as_json


def convert(old: dict[str, Any]) -> dict[str, bytes]:
    """Returns the files of the folder by name."""
    fields = _fields(old['config'])
    origin = {'file': old['config_file'], 'changes': changed_recipe(old['overrides'], fields), 'fields': fields}
    starts = [{'date': None, 'jax_options': {}} | start for start in old['environment']]
    columns = old['metrics']
    steps = [end - start for start, end in itertools.pairwise([0, *columns['step']])]
    losses = (loss * count for loss, count in zip(columns['train_loss'], steps, strict=True))
    errors = (
        round(error * count * fields.batch_size / 100)
        for error, count in zip(columns['train_error'], steps, strict=True)
    )
    columns |= {
        'train_loss_sum': [*itertools.accumulate(losses)],
        'train_error_sum': [*itertools.accumulate(errors)],
    }
    lines = [dict(zip(columns, line, strict=True)) for line in zip(*columns.values(), strict=True)]
    return {
        'config.json': as_json(origin),
        'environment.json': as_json(starts),
        'metrics.jsonl': ''.join(json.dumps(line) + '\n' for line in lines).encode(),
        'summary.json': as_json(old['summary']),
    }


def _fields(old: dict[str, Any]) -> Config:
    """Adds the fields that a config lacks, and removes those that no longer exist."""
    new: dict[str, Any] = {}
    for name in flatten(old).keys() & fields_with().keys():
        group, _, leaf = name.rpartition('.')
        (new.setdefault(group, {}) if group else new)[leaf] = flatten(old)[name]
    return as_config(new)


if __name__ == '__main__':
    for path in map(Path, sys.argv[1:]):
        folder = path.with_suffix('')
        folder.mkdir()
        for name, content in convert(json.loads(path.read_text())).items():
            (folder / name).write_bytes(content)
        path.unlink()
