"""What the files of studies are made of: rows, chosen by the study's argument, and lengths that are computed."""

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from ml_collections import ConfigDict

from configs.published import STUDIES, Published

REPORT_STUDIES = {'train_for': '164 epochs'}
"""The Report trained its networks for 350 epochs, and those of its studies for 164."""

DATASETS = {'cifar10': 'CIFAR-10', 'cifar100': 'CIFAR-100'}
"""And how they are called."""


def study(
    rows: Sequence[Mapping[str, Any]], source: str, measure: str = 'final', most: int | None = None
) -> dict[str, Any]:
    """A study.

    Args:
        rows: of its table, each made by `row`.
        source: who published the numbers.
        measure: what they are: 'final' (an error at the end of training, or a mean of such), 'median' (of several
            runs' final errors), 'window' (the mean over each row's window of epochs), or 'protocol' (by the protocol
            of the last test, such as ten crops of each picture).
        most: the number of rows, of those that the limit on parameters leaves.
    """
    return {'rows': list(rows), 'source': source, 'measure': measure, 'most': most}


def published_study(name: str, rows: Sequence[Mapping[str, Any]], most: int | None = None) -> dict[str, Any]:
    """A study whose source `configs/published.py` names, by the study's name; else as `study`."""
    source = STUDIES[name]
    return study(rows, source.text, source.measure, most)


def row(
    label: str,
    config: str,
    changes: Mapping[str, Any] | None = None,
    published: float | Published | None = None,
    published_text: str = '',
    group: str = '',
    window: tuple[float, float] | None = None,
) -> dict[str, Any]:
    """A row of a study: runs that differ in the seed alone.

    Args:
        label: what it is called.
        config: its config, such as 'report_cifar10.py:resnet20'.
        changes: fields of the config that are changed, by dotted name.
        published: error in %, if there is one; or what `configs/published.py` has, with its text.
        published_text: what the table says in its place, such as 'fail'.
        group: rows of one group are drawn in one picture.
        window: first and last epoch over which the published mean was taken.
    """
    if isinstance(published, Published):
        published, published_text = published.error, published.text
    return {
        'label': label,
        'config': f'configs/{config}',
        'changes': dict(changes or {}),
        'published': published,
        'published_text': published_text,
        'group': group,
        'window': window,
    }


def choose(argument: str, known: Sequence[str]) -> list[str]:
    """The names of an argument such as '1,1/2,1/5'; raises ValueError where one is not known."""
    names = argument.split(',')
    for name in names:
        if name not in known:
            raise ValueError(f'unknown {name!r}; known are {", ".join(known)}')
    return names


def choose_data(argument: str) -> tuple[list[str], list[str]]:
    """(the data sets that an argument such as 'cifar10,1,1/2' names, both where it names none; its other names)."""
    names = [name for name in argument.split(',') if name]
    datasets = [name for name in DATASETS if name in names] or list(DATASETS)
    return datasets, [name for name in names if name not in DATASETS]


def times(duration: str, factor: Fraction | int) -> str:
    """A duration, longer or shorter: '122 epochs' times 1/2 is '61 epochs'. Epochs are whole: 40.5 become 41."""
    number, unit = duration.split()
    whole = math.floor(Fraction(number) * factor + Fraction(1, 2))
    return f'{whole} {unit.removesuffix("s")}' + ('s' if whole > 1 else '')


def lengthened(config: ConfigDict, factor: Fraction | int, **changes: Any) -> dict[str, Any]:
    """The changes that make training longer or shorter by a factor, the learning rate's drops moved along.

    Args:
        config: which is changed.
        factor: of the length.
        **changes: made to the config first, such as train_for.
    """
    return {
        'train_for': times(changes.get('train_for', config.train_for), factor),
        'schedule.drop_at': tuple(times(duration, factor) for duration in config.schedule.drop_at),
    }
