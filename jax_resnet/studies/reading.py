"""Makes the plan of a study from its file, `configs/studies/depth.py:20,56`, and the changes of the command line."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import Any

from jax_resnet.config import loading
from jax_resnet.config.fields import Config
from jax_resnet.config.identity import recipe
from jax_resnet.config.loading import change
from jax_resnet.config.network import network
from jax_resnet.data import DATASETS
from jax_resnet.errors import ConfigError
from jax_resnet.files import shown
from jax_resnet.studies import rehearsal, study_file
from jax_resnet.studies.plan import Job, Plan, Setting, without_limit


def read(
    file: str,
    seeds: Sequence[int],
    changes: Mapping[str, str] | None = None,
    is_rehearsal: bool = False,
    limit: float = inf,
    reuses_results: bool = False,
) -> Plan:
    """Makes the plan of a study. This needs no data and writes nothing.

    Args:
        file: the file of the study, with its argument: `configs/studies/learning_rate.py:1,1/10`.
        seeds: the seeds for every setting.
        changes: fields to change in every job, by dotted name, as text.
        is_rehearsal: whether to train on the digits, for a twentieth of the epochs. Settings whose networks do not fit
            the digits are left out.
        limit: the most parameters. Settings with more, or with more than their config allows, are left out.
        reuses_results: whether a file of results/ with the same config and seed replaces a run.

    Raises:
        ConfigError: the study, a config or a field does not exist or is wrong; a network does not fit its images; or
            the study has no runs.
    """
    study = study_file.load(file)
    given = dict(changes or {})
    if 'seed' in given:
        raise ConfigError(f'--set=seed={given["seed"]}: the seeds of a study are given by --seeds={given["seed"]}')
    settings, notes = _settings(study, seeds, given, is_rehearsal, limit)
    labels = [(setting.label, setting.group) for setting in settings]
    if len(set(labels)) < len(labels):
        raise ConfigError(f'--study={file}: two rows have the same label and group; these must be different')
    if not settings:
        raise ConfigError(f'--study={file}: must have runs; it has none' + (f' ({"; ".join(notes)})' if notes else ''))
    plan = Plan(
        file=file,
        question=study['question'],
        about=study['about'],
        source=study['source'],
        measure=study['measure'],
        settings=tuple(settings),
        changes={name: value for setting in settings for name, value in setting.changes.items()},
        is_rehearsal=is_rehearsal,
        notes=tuple(notes),
        reuses_results=reuses_results,
    )
    replace(plan, reuses_results=False).as_json()  # raises ConfigError
    return plan


def _settings(
    study: Mapping[str, Any], seeds: Sequence[int], given: Mapping[str, str], is_rehearsal: bool, limit: float
) -> tuple[list[Setting], list[str]]:
    """Returns the settings of the study, and notes about those that are left out."""
    settings: list[Setting] = []
    notes: list[str] = []
    too_large: list[str] = []
    unsuitable: list[str] = []
    for described in study['rows']:
        if study['most'] is not None and len(settings) == study['most']:
            break
        setting = _setting(described, seeds, given, is_rehearsal)
        try:
            parameters = setting.parameters
        except ConfigError:
            if not is_rehearsal:
                raise
            unsuitable.append(_title(setting))
            continue
        if parameters > min(limit, setting.limit):
            too_large.append(f'{setting.label} ({parameters:,})')
            continue
        same = next((other for other in settings if _recipe(other) == _recipe(setting)), None)
        if same is None:
            settings.append(setting)
        else:
            notes.append(f'{_title(setting)} becomes the same as {_title(same)}, and is left out')
    if too_large:
        notes.append(_left_out('they have more parameters than the limit', too_large))
    if unsuitable:
        notes.append(_left_out('their networks do not fit the small images of the digits', unsuitable))
    return settings, notes


def _left_out(reason: str, labels: Sequence[str]) -> str:
    more = f' and {len(labels) - 5} more' if len(labels) > 5 else ''
    return f'left out, since {reason}: {"; ".join(labels[:5])}{more}'


def _recipe(setting: Setting) -> dict[str, Any]:
    return recipe(setting.jobs[0].config)


def _setting(
    described: Mapping[str, Any], seeds: Iterable[int], given: Mapping[str, str], is_rehearsal: bool
) -> Setting:
    file, changes, window = described['config'], dict(described['changes']), described['window']
    if is_rehearsal:
        config, _ = loading.load(file, changes)
        changes |= rehearsal.changes(config)
    unchanged, _ = loading.load(file, changes)
    changes |= given
    config, differing = loading.load(file, changes)
    changed = _changed(unchanged, config, given)
    if window is not None:
        window = tuple(epoch / config.shorten for epoch in window)
    classes = DATASETS[config.dataset.name].num_classes if config.dataset.name in DATASETS else None
    if classes is not None and config.model.num_classes != classes and 'model.num_classes' not in given:
        config, differing = loading.load(file, changes | {'model.num_classes': classes})

    def job(seed: int) -> Job:
        return Job(described['label'], file, differing, seed, change(config, {'seed': seed}), is_rehearsal)

    jobs = tuple(job(seed) for seed in seeds)
    network(without_limit(jobs[0].config))  # raises ConfigError if there is no such network
    published, text = described['published'], described['published_text']
    return Setting(described['label'], described['group'], jobs, published, text, window, changed)


def _changed(before: Config, after: Config, given: Iterable[str]) -> dict[str, Any]:
    """Returns those `given` fields, by dotted name, whose change between two configs affects a result: new values."""
    old, new = recipe(before), recipe(after)
    return {name: new[name] for name in given if name in new and new[name] != old.get(name)}


def _title(setting: Setting) -> str:
    return f'{setting.label} ({setting.group})' if setting.group else setting.label


def with_seeds_of(plan: Plan, former: Mapping[str, Any]) -> Plan:
    """Adds the seeds of earlier runs to a plan.

    Args:
        plan: the plan.
        former: the earlier study.json. A seed counts if a run with it exists, or a result if the plan reuses results.

    Raises:
        ConfigError: the earlier study.json is that of another file, which still exists.
    """
    former_file = former['file']
    file, other = (Path(text.partition(':')[0]) for text in (plan.file, former_file))
    if other.is_file() and not other.samefile(file):
        raise ConfigError(
            f'--study={plan.file}: its folder, {shown(plan.folder)}, has the study of {shown(former_file)}; give one '
            'of the two files another name'
        )
    existing = {
        run['seed']
        for row in former['rows']
        for run in row['runs']
        if (plan.folder / run['folder']).exists()
        or (plan.reuses_results and 'result' in run and (plan.folder / run['result']).exists())
    }
    seeds = sorted({job.seed for job in plan.jobs} | existing)

    def with_all_seeds(setting: Setting) -> Setting:
        by_seed = {job.seed: job for job in setting.jobs}
        first = setting.jobs[0]
        jobs = [by_seed.get(s) or replace(first, seed=s, config=change(first.config, {'seed': s})) for s in seeds]
        return replace(setting, jobs=tuple(jobs))

    return replace(plan, settings=tuple(map(with_all_seeds, plan.settings)))
