"""Suggests fields for an unknown name."""

from collections.abc import Iterable
from difflib import SequenceMatcher

_ABBREVIATIONS = {
    'classes': 'num_classes',
    'dtype': 'compute',
    'epochs': 'train_for',
    'gpus': 'devices',
    'iterations': 'train_for',
    'layers': 'depth',
    'steps': 'train_for',
}
"""Common abbreviations that are not initials of a field's words, unlike lr, bs and wd."""


def suggestion(name: str, known: Iterable[str]) -> str:
    """A text such as 'unknown field; did you mean config.seed?', or with the three nearest fields if none is clear.

    Args:
        name: the unknown name, such as 'schedule.lr'.
        known: dotted names of all fields.
    """
    names = list(known)
    inside = [f'config.{field}' for field in names if field.startswith(f'{name}.')]
    if inside:
        return f'is a group of fields: {", ".join(inside)}'
    ranked = sorted(names, key=lambda field: _distance(name, field))
    (kind, distance), (second_kind, second) = (_distance(name, field) for field in ranked[:2])
    is_meant = kind == 0 < second_kind or (kind == 1 and _group(name) == _group(ranked[0]))
    if is_meant or (distance <= 0.25 and distance < second):
        return f'unknown field; did you mean config.{ranked[0]}?'
    return f'unknown field; the nearest are {", ".join(f"config.{field}" for field in ranked[:3])}'


def _distance(name: str, field: str) -> tuple[int, float]:
    """Distance between a name and a field: a rank for equal names and abbreviations, then a distance in spelling."""
    leaf, its_leaf = name.rpartition('.')[2], field.rpartition('.')[2]
    words = its_leaf.split('_')
    initials = ''.join(word[0] for word in words)
    is_abbreviation = leaf == initials or _ABBREVIATIONS.get(leaf) == its_leaf
    kinds = (leaf == its_leaf, is_abbreviation, initials.endswith(leaf) or leaf in words)
    similarity = max(SequenceMatcher(None, *pair).ratio() for pair in ((name, field), (leaf, its_leaf)))
    bonus = 0.2 if _group(name) == _group(field) else 0.0
    return next((i for i, fits in enumerate(kinds) if fits), 3), 1 - similarity - bonus


def _group(name: str) -> str:
    return name.rpartition('.')[0]
