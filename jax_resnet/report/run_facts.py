"""What a page shows about a single run: its recipe, dates, commit, versions and device."""

from jax_resnet.config.fields import flatten
from jax_resnet.report import columns, wording
from jax_resnet.report.sections import Row
from jax_resnet.runs.run import Run

RECIPE = (
    'dataset.name', 'train_for', 'batch_size', 'schedule.name', 'schedule.learning_rate', 'schedule.drop_at',
    'schedule.factor', 'schedule.warmup_for', 'optimizer.name', 'optimizer.momentum', 'optimizer.weight_decay',
    'init_from', 'precision.compute', 'seed',
)  # fmt: skip
"""The fields of the config that the page shows."""

TEST = ('pictures.protocol', 'pictures.average')
"""Further fields for a run whose last test used more than the central crop."""


def facts(run: Run) -> list[tuple[str, str]]:
    """Returns (name, text) pairs. Facts that are not in the files of the run are left out."""
    if run.config is None:
        return []
    shown = {'network': columns.network(Row('', '', [run])), 'config': run.name}
    if run.file is not None:
        shown['changed fields'] = ', '.join(wording.phrase(*change) for change in run.changes.items()) or 'nothing'
    values = flatten(run.config)
    for field in RECIPE if run.config.pictures.protocol == 'center' else (*RECIPE, *TEST):
        if field in values:
            shown[wording.field_name(field)] = wording.value_name(values[field], field)
    dates = [start['date'].replace('T', ' ').replace('+00:00', ' UTC') for start in run.starts if start['date']]
    if dates:
        shown['started'] = dates[0]
    if len(dates) > 1:
        shown['last continued'] = dates[-1]
    for start in run.starts[-1:]:
        shown['device'] = start['device']
        shown['commit'] = start['git_commit'] or 'unknown: not in a git checkout'
        shown['versions'] = ', '.join(f'{package} {version}' for package, version in start['versions'].items())
    return [*shown.items()]


def fields(run: Run) -> list[tuple[str, str]]:
    """Returns (dotted name, text) for every field of the config."""
    values = {} if run.config is None else flatten(run.config)
    return [(field, wording.value_name(value)) for field, value in sorted(values.items())]
