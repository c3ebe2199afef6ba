"""Converts results of commit 8237b8d: `python scripts/convert_results.py results/**/*.json`.

A run that was trained with that commit is added by its own `results add`, and its file is then converted by this
script. A file that is converted already only gets fields that are newer.
"""

import itertools
import json
import sys
from pathlib import Path
from typing import Any

from jax_resnet.config.fields import Config, every_field, flatten
from jax_resnet.config.identity import changed_recipe
from jax_resnet.config.loading import as_config
from jax_resnet.runs import results_folder

FORMER = {'file': 'config_file', 'changes': 'overrides', 'fields': 'config'}
"""Names of fields in that commit, by their names now."""


def convert(old: dict[str, Any]) -> dict[str, Any]:
    """Returns the content of a file of results/, as this version reads it."""
    origin = {name: old.get(former, old.get(name)) for name, former in FORMER.items()}
    fields = origin['fields'] = _fields(origin['fields'])
    origin['changes'] = changed_recipe(origin['changes'], fields)
    others = {name: value for name, value in old.items() if name not in {*FORMER, *FORMER.values()}}
    starts = [
        {**start, 'date': start.get('date'), 'jax_options': start.get('jax_options', {})}
        for start in old['environment']
    ]
    new = origin | others | {'environment': starts}
    if isinstance(old['metrics'], dict) and 'train_loss_sum' not in old['metrics']:
        lines, size = old['metrics'], fields.batch_size
        steps = [end - start for start, end in itertools.pairwise([0, *lines['step']])]
        losses = (loss * count for loss, count in zip(lines['train_loss'], steps, strict=True))
        errors = (round(error * count * size / 100) for error, count in zip(lines['train_error'], steps, strict=True))
        sums = {'train_loss_sum': [*itertools.accumulate(losses)], 'train_error_sum': [*itertools.accumulate(errors)]}
        new['metrics'] = lines | sums
    if isinstance(new['metrics'], dict):
        columns = new['metrics']
        new['metrics'] = [dict(zip(columns, line, strict=True)) for line in zip(*columns.values(), strict=True)]
    return new


def _fields(old: dict[str, Any]) -> Config:
    """Adds the fields that a config lacks, and removes those that no longer exist."""
    new: dict[str, Any] = {}
    for name in flatten(old).keys() & every_field().keys():
        group, _, leaf = name.rpartition('.')
        (new.setdefault(group, {}) if group else new)[leaf] = flatten(old)[name]
    return as_config(new)


if __name__ == '__main__':
    for path in map(Path, sys.argv[1:]):
        converted = convert(json.loads(path.read_text()))
        path.write_text(results_folder.as_text(converted))
