"""Reads JSON files and checks them against their description in `schemas`. Errors are one line each."""

import re
from typing import Any

import msgspec
from msgspec import UNSET, Struct

from jax_resnet.errors import ConfigError


def parse(content: bytes, kind: Any, name: str, where: str = '') -> Any:
    """Returns the content of a JSON file as dicts and lists. Described fields are converted to their types.

    Args:
        content: the bytes of the file.
        kind: a description from `schemas`, or a list of one.
        name: the name of the file, for the message.
        where: the place in the file, for the message, such as 'line 3: '.

    Raises:
        ConfigError: the file is damaged. The message says which field is wrong, what it must be and what it is.
    """
    try:
        value = msgspec.json.decode(content)
    except (msgspec.MsgspecError, RecursionError) as e:
        raise ConfigError(f'{name} is damaged: {where}{_explain(str(e), None)}') from None
    return check(value, kind, name, where)


def check(value: Any, kind: Any, name: str, where: str = '') -> Any:
    """Checks and converts a value like `parse`, after the JSON is decoded."""
    try:
        return _merge(msgspec.convert(value, kind), value)
    except (msgspec.ValidationError, RecursionError, OverflowError) as e:
        raise ConfigError(f'{name} is damaged: {where}{_explain(str(e), value)}') from None


def _merge(known: Any, raw: Any) -> Any:
    if isinstance(known, Struct) and not known.__struct_config__.frozen:
        return _merge_struct(known, raw)
    if isinstance(known, list):
        return [_merge(*pair) for pair in zip(known, raw, strict=True)]
    return known


def _merge_struct(known: Struct, raw: dict[str, Any]) -> dict[str, Any]:
    fields = {name: getattr(known, name) for name in known.__struct_fields__}
    return {**raw, **{name: _merge(v, raw.get(name)) for name, v in fields.items() if v is not UNSET}}


def _explain(message: str, value: Any) -> str:
    """Turns msgspec's message into one like 'config.seed: expected `int`, got `str` (it is 'x')'."""
    problem, _, field = message.partition(' - at `$')
    field = field.rstrip('`').lstrip('.')
    problem = (problem[:1].lower() + problem[1:]).replace('`object`', '`object` of fields')
    if not field:
        return problem
    for part in re.findall(r'\w+|\.\.\.', field):
        try:
            value = value[int(part) if part.isdigit() else part]
        except (KeyError, TypeError, IndexError):
            return f'{field}: {problem}'
    is_short = (
        value is None or isinstance(value, bool | float | str) or (isinstance(value, int) and abs(value) < 10**40)
    )
    return f'{field}: {problem}' + (f' (it is {repr(value)[:60]})' if is_short else '')
