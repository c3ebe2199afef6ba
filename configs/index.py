"""Writes README.md, the list of all configs, from their docstrings: `python -m configs.index`."""

import ast
import re
from pathlib import Path

FOLDER = Path(__file__).parent

HEAD = """\
# All configs

Made from the configs' docstrings by `python -m configs.index`. Each is one row of a paper's table, or, below, a family
of rows chosen by an argument.

| config | what it is | published test error | parameters |
|---|---|---|---:|
"""


def read() -> tuple[dict[str, str], dict[str, str]]:
    """The docstrings of the single configs, and those of the families, which have a table, by name."""
    single: dict[str, str] = {}
    families: dict[str, str] = {}
    for path in sorted(FOLDER.glob('*.py'), key=_natural):
        tree = ast.parse(path.read_text())
        if path.stem.startswith('base') or not any(getattr(node, 'name', '') == 'get_config' for node in tree.body):
            continue
        text = ast.get_docstring(tree) or ''
        (families if '\n| argument |' in text else single)[path.stem] = text
    return single, families


def page() -> str:
    """The text of README.md."""
    single, families = read()
    rows = ''.join(f'| `{name}` | {" | ".join(_cells(text))} |\n' for name, text in single.items())
    return HEAD + rows + ''.join(f'\n## {name}\n\n{_blocks(text)}\n' for name, text in families.items())


def published(name: str) -> str:
    """The published error of a single config, as its docstring has it; '' of a family's, which has a table."""
    single, _ = read()
    return _cells(single[name])[1] if name in single else ''


def _natural(path: Path) -> list[int | str]:
    """So that 20 comes before 110."""
    return [int(part) if part.isdecimal() else part for part in re.split(r'(\d+)', path.stem)]


def _cells(text: str) -> tuple[str, str, str]:
    """What it is, its published error, and its parameters."""
    title, _, rest = text.partition('\n')
    found = re.search(
        r'(?:Published|(No) published)\s+(?:test error|number|as)?(.*?);\s+([\d,]+)\s+param', rest, re.DOTALL
    )
    assert found is not None, text
    published = ' '.join(('none ' * bool(found[1]) + found[2]).split())
    return title.rstrip('.'), published, found[3]


def _blocks(text: str) -> str:
    """A docstring as Markdown: its command as a block."""
    return re.sub(r'^    (python .*)$', r'```\n\1\n```', text, flags=re.MULTILINE)


if __name__ == '__main__':
    (FOLDER / 'README.md').write_text(page())
