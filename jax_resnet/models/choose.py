"""Looks up the arguments of a network that are names, such as its order or its initialization."""

from collections.abc import Mapping
from typing import TypeVar

Entry = TypeVar('Entry')


def choose(field: str, name: str | None, table: Mapping[str, Entry]) -> Entry:
    """Returns the table's entry of that name. If there is none, raises ValueError with the known names."""
    if name is None or name not in table:
        raise ValueError(f'{field} must be one of {", ".join(table)}; got {name!r}')
    return table[name]
