"""Functions for the files of studies: they make rows, choose rows by the study's argument, and compute lengths."""

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from configs.base import check_known
from configs.published import CONFIGS, STUDIES, Published

REPORT_STUDIES = {'train_for': '164 epochs'}
"""Changes for the Report's studies: they train for 164 epochs, and its other runs for 350."""

DATASETS = {'cifar10': 'CIFAR-10', 'cifar100': 'CIFAR-100'}
"""Data sets, and their names in tables."""


def study(
    rows: Sequence[Mapping[str, Any]], source: str, measure: str = 'final', most: int | None = None
) -> dict[str, Any]:
    """Returns a study.

    Args:
        rows: the rows of its table, each made by `row`.
        source: who published the numbers.
        measure: what the numbers measure, see `configs.published.Source`.
        most: maximum number of rows. It is counted without networks that cannot be built, such as those above the limit
            on parameters, which are left out.
    """
    return {'rows': list(rows), 'source': source, 'measure': measure, 'most': most}


def published_study(name: str, rows: Sequence[Mapping[str, Any]], most: int | None = None) -> dict[str, Any]:
    """Returns a study as `study` does. `configs/published.py` has its source, its measure, and its window."""
    source = STUDIES[name]
    return study([{**row, 'window': source.window} for row in rows], source.text, source.measure, most)


def row(
    label: str,
    config: str,
    changes: Mapping[str, Any] | None = None,
    published: float | Published | None = None,
    published_text: str = '',
    group: str = '',
    window: tuple[float, float] | None = None,
) -> dict[str, Any]:
    """Returns a row of a study. The runs of a row differ only in their seed.

    Args:
        label: name of the row.
        config: the config of its runs, such as 'report_cifar10.py:resnet20', or an absolute path.
        changes: changed fields of the config, by dotted name.
        published: published error in %; or a result of `configs/published.py`, with its text. By default it is that of
            the config, if the row changes no field.
        published_text: text that the table shows instead of the error, such as 'fail'.
        group: name of the row's group. The rows of one group are drawn in one picture.
        window: first and last epoch of the published mean.
    """
    if published is None and not changes:
        published = CONFIGS.get(config.replace('.py', '', 1))
    if isinstance(published, Published):
        published, published_text = published.error, published.text
    return {
        'label': label,
        'config': str(Path('configs') / config),
        'changes': dict(changes or {}),
        'published': published,
        'published_text': published_text,
        'group': group,
        'window': window,
    }


def choose(argument: str, known: Sequence[str]) -> list[str]:
    """Returns the names in an argument such as '1,1/2,1/5'. Raises ValueError if one is not known."""
    names = argument.split(',')
    for name in names:
        check_known('name', name, known)
    return names


def choose_data(argument: str) -> tuple[list[str], list[str]]:
    """Splits an argument such as 'cifar10,1,1/2' into its data sets (both if it names none) and its other names."""
    names = [name for name in argument.split(',') if name]
    datasets = [name for name in DATASETS if name in names] or list(DATASETS)
    return datasets, [name for name in names if name not in DATASETS]


def times(duration: str, factor: Fraction | int) -> str:
    """Returns a duration times a factor: '122 epochs' times 1/2 is '61 epochs'. Epochs are rounded: 40.5 become 41."""
    number, unit = duration.split()
    rounded = math.floor(Fraction(number) * factor + Fraction(1, 2))
    return f'{rounded} {unit.removesuffix("s")}' + ('s' if rounded > 1 else '')


def lengthened(config: ConfigDict, factor: Fraction | int, **changes: Any) -> dict[str, Any]:
    """Returns changes that multiply the length of training and the times of the learning rate's drops.

    Args:
        config: the config that the changes are for.
        factor: the factor for the length.
        **changes: changes that are made to the config before, such as train_for.
    """
    return {
        'train_for': times(changes.get('train_for', config.train_for), factor),
        'schedule.drop_at': tuple(times(duration, factor) for duration in config.schedule.drop_at),
    }
