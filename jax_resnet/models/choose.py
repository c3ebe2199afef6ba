"""An entry of a table of names, for every argument of a network that is a name."""

from collections.abc import Mapping
from typing import TypeVar

Entry = TypeVar('Entry')


def choose(field: str, name: str | None, table: Mapping[str, Entry]) -> Entry:
    """The table's entry of that name. Raises ValueError, with the known names, where there is none."""
    if name is None or name not in table:
        raise ValueError(f'{field} must be one of {", ".join(table)}; got {name!r}')
    return table[name]
