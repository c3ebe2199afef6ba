"""Writes README.md, the list of all configs: `python -m configs.index`.

The list is made from the configs' docstrings, `published.py` and `sizes.json`. The command counts `sizes.json` first.
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

This page lists all configs. `python -m configs.index` makes it from their docstrings, `published.py` and `sizes.json`.

A config is one row of a paper's table, or a family of rows; the argument of a family chooses one row. Multiply-adds are
for the forward pass of one image, in millions (M) or thousand millions (G). Steps are for the whole training. The Lab,
the Report, Scaled and Identity4 are four course projects on the 2015 paper, which are not public.
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
"""Titles, with a pattern for the names of their configs. A config is in the first group whose pattern it matches."""

COLUMNS = 'parameters | multiply-adds | steps |\n'


def read() -> tuple[dict[str, str], dict[str, str]]:
    """Returns the docstrings of single configs and those of families, by name. A family's docstring has a table."""
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
    """Returns the text of README.md."""
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
    """Returns the names of configs, by the title of their group."""
    groups: dict[str, list[str]] = {title: [] for title, _ in GROUPS}
    for name in names:
        groups[next(title for title, pattern in GROUPS if re.fullmatch(pattern, name))].append(name)
    return groups


def named(arguments: str, known: Sequence[str]) -> list[str]:
    """Returns the arguments of a family that a row of its table names, in their order."""
    among = '|'.join(re.escape(argument) for argument in sorted(known, key=len, reverse=True))
    return re.findall(rf'(?:^|(?<=[ ,]))(?:{among})(?=$|[ ,])', arguments)


def published(name: str) -> str:
    """Returns the published error of an unchanged config, such as '8.75 %' or 'none'; '' if the config is unknown.

    Args:
        name: 'resnet20_cifar10', or 'lab_cifar10:resnet56'.
    """
    known = CONFIGS.get(name)
    if known is None:
        return ''
    return known.cell if known.error is None or ':' not in name else f'{known.error:.2f} %'


def _known(name: str) -> list[str]:
    """Returns the names of a config in `published.py`: one name, or one for each argument of a family."""
    return [key for key in CONFIGS if key.partition(':')[0] == name]


def _natural(path: Path) -> list[int | str]:
    """Returns a key that sorts 20 before 110."""
    return [int(part) if part.isdecimal() else part for part in re.split(r'(\d+)', path.stem)]


def _title(text: str) -> str:
    """Returns the first line of a config's docstring, which says what the config is."""
    return text.partition('\n')[0].rstrip('.')


def _cells(name: str, counted: dict[str, Size]) -> str:
    return f'{CONFIGS[name].cell} | {_sizes([counted[name]])}'


def _sizes(of: Sequence[Size]) -> str:
    """Returns the columns of sizes: one value for each config, or one value if all are equal."""
    columns = (
        [f'{size.parameters:,}' for size in of],
        [_short(size.multiply_adds) for size in of],
        ['depends' if size.steps is None else f'{size.steps:,}' for size in of],
    )
    return ' | '.join(', '.join(dict.fromkeys(column)) for column in columns)


def _short(number: int) -> str:
    """Returns a number with three digits, such as '41.2 M' or '3.86 G'."""
    unit, letter = (1e9, 'G') if number >= 1e9 else (1e6, 'M')
    return f'{number / unit:#.3g} {letter}'.replace('. ', ' ')


def _blocks(family: str, text: str, counted: dict[str, Size]) -> str:
    """Returns a docstring as Markdown. Commands become code blocks, and the table gets columns of sizes."""
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
