"""Separates a config, and fields to change in it, from the other words of a command line.

ml_collections' config_flags does the same, but it takes `None` as a string, refuses '5 epochs,7 epochs' for a tuple,
and lets stray words such as `seed=2` pass.
"""

import re
from collections.abc import Sequence

from jax_resnet.config.loading import find_field
from jax_resnet.errors import ConfigError

_WORD = re.compile(r'--?(no)?config(?:\.([^=]*))?(?:=(.*))?', re.DOTALL)


def separate(words: Sequence[str]) -> tuple[list[str], str | None, dict[str, str]]:
    """Separates `--config=FILE`, `--config.field=value`, `--config.flag` and `--noconfig.flag` from other words.

    A value may be the next word. If a field that is a tuple is given several times, its values are joined.

    Args:
        words: a command line without the program's name.

    Returns:
        The other words; the config file with its argument, or None; and strings for the changed fields, by dotted name.

    Raises:
        ConfigError: a field is unknown, or has no value.
    """
    rest: list[str] = []
    file: str | None = None
    changes: dict[str, str] = {}
    following = iter(words)
    for word in following:
        match = _WORD.fullmatch(word)
        if match is None or (match[1] and match[2] is None):
            rest.append(word)
            continue
        no, name, value = match.groups()
        field = None if name is None else find_field(name)
        is_flag = field is not None and field.scalar is bool
        if no and (value is not None or not is_flag):
            raise ConfigError(f'{word}: --no is allowed only for a field that is True or False, and takes no value')
        if value is None:
            value = str(not no) if is_flag else next(following, '--')
        if value.startswith('--'):
            raise ConfigError(
                f'{word.lstrip("-")}: has no value; must be {field.allowed if field else "a config file"}'
            )
        if field is None:
            if not value:
                raise ConfigError('--config: must name a config file; got nothing')
            file = value
        else:
            changes[name] = f'{changes[name]},{value}' if field.is_tuple and name in changes else value
    return rest, file, changes
