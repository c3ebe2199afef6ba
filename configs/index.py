"""Writes README.md, the list of all configs, from their docstrings and `published.py`: `python -m configs.index`."""

import ast
import re
from pathlib import Path

from configs.published import CONFIGS, PARAMETERS

FOLDER = Path(__file__).parent

HEAD = """\
# All configs

Made from the configs' docstrings and `published.py` by `python -m configs.index`. Each is one row of a paper's table,
or, below, a family of rows chosen by an argument.

| config | what it is | published test error | parameters |
|---|---|---|---:|
"""


def read() -> tuple[dict[str, str], dict[str, str]]:
    """The docstrings of the single configs, and those of the families, which have a table, by name."""
    single: dict[str, str] = {}
    families: dict[str, str] = {}
    for path in sorted(FOLDER.glob('*.py'), key=_natural):
        tree = ast.parse(path.read_text(encoding='utf-8'))
        if path.stem.startswith('base') or not any(getattr(node, 'name', '') == 'get_config' for node in tree.body):
            continue
        text = ast.get_docstring(tree) or ''
        (families if '\n| argument |' in text else single)[path.stem] = text
    return single, families


def page() -> str:
    """The text of README.md."""
    single, families = read()
    rows = ''.join(
        f'| `{name}` | {_title(text)} | {CONFIGS[name].cell} | {PARAMETERS[name]:,} |\n'
        for name, text in single.items()
    )
    return HEAD + rows + ''.join(f'\n## {name}\n\n{_blocks(text)}\n' for name, text in families.items())


def published(name: str) -> str:
    """What is published of a config as it stands, such as '8.75 %' or 'none'; '' of one that is not known.

    Args:
        name: 'resnet20_cifar10', or 'lab_cifar10:resnet56'.
    """
    known = CONFIGS.get(name)
    if known is None:
        return ''
    return known.cell if known.error is None or ':' not in name else f'{known.error:.2f} %'


def _natural(path: Path) -> list[int | str]:
    """So that 20 comes before 110."""
    return [int(part) if part.isdecimal() else part for part in re.split(r'(\d+)', path.stem)]


def _title(text: str) -> str:
    """What a config is: the first line of its docstring."""
    return text.partition('\n')[0].rstrip('.')


def _blocks(text: str) -> str:
    """A docstring as Markdown: its command as a block."""
    return re.sub(r'^    (python .*)$', r'```\n\1\n```', text, flags=re.MULTILINE)


if __name__ == '__main__':
    (FOLDER / 'README.md').write_text(page(), encoding='utf-8')
