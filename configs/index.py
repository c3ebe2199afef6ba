"""Writes README.md, the list of all configs: `python -m configs.index`.

It is made from the configs' docstrings, from `published.py`, and from `sizes.json`, which is counted first.
"""

import ast
import re
from collections.abc import Sequence
from pathlib import Path

from configs import sizes
from configs.published import CONFIGS
from configs.sizes import Size

FOLDER = Path(__file__).parent

HEAD = """\
# All configs

Made from the configs' docstrings, `published.py` and `sizes.json` by `python -m configs.index`. A config is one row of
a paper's table, or a family of rows, of which an argument chooses one. Multiply-adds are those of one image's forward
pass, in millions (M) or thousand millions (G); steps are those of the whole training.
"""

GROUPS = (
    ('He et al. 2015 on CIFAR', r'(plain|resnet)(20|32|44|56|110|1202)_cifar\d+'),
    ('He et al. 2016 on CIFAR', r'(preact_|shortcut_|order_|one_layer_)?resnet\d+(_batch64)?_cifar\d+'),
    ('Other designs and assignments on CIFAR', r'.*_cifar\d+'),
    ('He et al. 2015 on ImageNet: top-1 / top-5 error', r'(plain|resnet)\d+[bc]?_imagenet'),
    ('He et al. 2016 on ImageNet', r'table5_imagenet'),
    ('Later recipes for ImageNet', r'.*_imagenet'),
    ('Small data, and your own pictures', r'.*'),
)
"""Titles, each with the names of its configs that are in none before."""

COLUMNS = 'parameters | multiply-adds | steps |\n'


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
    counted = sizes.read()
    parts = [HEAD]
    for title, names in grouped([name for name in (*single, *families) if _known(name)]).items():
        rows = [
            f'| `{name}` | {_title(single[name])} | {_cells(name, counted)} |\n' for name in names if name in single
        ]
        parts.append(f'\n## {title}\n')
        if rows:
            parts += [
                f'\n| config | what it is | published test error | {COLUMNS}|---|---|---|---:|---:|---:|\n',
                *rows,
            ]
        parts += [f'\n### {name}\n\n{_blocks(name, families[name], counted)}\n' for name in names if name in families]
    return ''.join(parts)


def grouped(names: Sequence[str]) -> dict[str, list[str]]:
    """The names of configs, by the title of their group."""
    groups: dict[str, list[str]] = {title: [] for title, _ in GROUPS}
    for name in names:
        groups[next(title for title, pattern in GROUPS if re.fullmatch(pattern, name))].append(name)
    return groups


def named(arguments: str, known: Sequence[str]) -> list[str]:
    """The arguments of a family that a row of its table names, in their order."""
    among = '|'.join(re.escape(argument) for argument in sorted(known, key=len, reverse=True))
    return re.findall(rf'(?:^|(?<=[ ,]))(?:{among})(?=$|[ ,])', arguments)


def published(name: str) -> str:
    """What is published of a config as it stands, such as '8.75 %' or 'none'; '' of one that is not known.

    Args:
        name: 'resnet20_cifar10', or 'lab_cifar10:resnet56'.
    """
    known = CONFIGS.get(name)
    if known is None:
        return ''
    return known.cell if known.error is None or ':' not in name else f'{known.error:.2f} %'


def _known(name: str) -> list[str]:
    """The names in `published.py` of a config: one, or those of a family's arguments."""
    return [key for key in CONFIGS if key.partition(':')[0] == name]


def _natural(path: Path) -> list[int | str]:
    """So that 20 comes before 110."""
    return [int(part) if part.isdecimal() else part for part in re.split(r'(\d+)', path.stem)]


def _title(text: str) -> str:
    """What a config is: the first line of its docstring."""
    return text.partition('\n')[0].rstrip('.')


def _cells(name: str, counted: dict[str, Size]) -> str:
    return f'{CONFIGS[name].cell} | {_sizes([counted[name]])}'


def _sizes(of: Sequence[Size]) -> str:
    """The columns of sizes; of several configs each, or one for all where they are the same."""
    columns = (
        [f'{size.parameters:,}' for size in of],
        [_short(size.multiply_adds) for size in of],
        ['depends' if size.steps is None else f'{size.steps:,}' for size in of],
    )
    return ' | '.join(', '.join(dict.fromkeys(column)) for column in columns)


def _short(number: int) -> str:
    """With three digits: '41.2 M', '3.86 G'."""
    unit, letter = (1e9, 'G') if number >= 1e9 else (1e6, 'M')
    return f'{number / unit:#.3g} {letter}'.replace('. ', ' ')


def _blocks(family: str, text: str, counted: dict[str, Size]) -> str:
    """A docstring as Markdown: its commands as blocks, and sizes in its table."""
    known = [name.partition(':')[2] for name in _known(family)]

    def widened(row: re.Match[str]) -> str:
        line, arguments = row[0], row[1]
        if arguments == 'argument':
            return f'{line} {COLUMNS.rstrip()}'
        if set(arguments) == {'-'}:
            return f'{line}---:|---:|---:|'
        return f'{line} {_sizes([counted[f"{family}:{argument}"] for argument in named(arguments, known)])} |'

    text = re.sub(r'^\| ?(.*?) ?\|.*$|^\|(-+)\|.*$', widened, text, flags=re.MULTILINE)
    return re.sub(r'^    (python .*)$', r'```\n\1\n```', text, flags=re.MULTILINE)


if __name__ == '__main__':
    sizes.write(list(CONFIGS))
    (FOLDER / 'README.md').write_text(page(), encoding='utf-8')
