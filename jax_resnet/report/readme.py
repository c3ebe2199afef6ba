"""The results in README.md and results/README.md: tables of measured runs, their curves as SVG, and weights."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jax_resnet.config.identity import config_name
from jax_resnet.errors import ConfigError
from jax_resnet.report import charts, columns, page, wording
from jax_resnet.report.curves import curves
from jax_resnet.report.sections import Row, Section
from jax_resnet.runs.weights import read_card

BEGIN, END = '<!-- results: made by python -m jax_resnet results table -->', '<!-- end of results -->'

SHOWN = ('final test error', 'median', 'seeds', 'published', 'time', 'device')
"""The columns of the tables, and further errors if there are any."""


def part(sections: Sequence[Section], pictures: Mapping[str, Path], weights: Sequence[Path], folder: Path) -> str:
    """Returns the results part of a page, as Markdown.

    Args:
        sections: one table each; those with finished runs come first. One line names the rows without a finished run.
        pictures: the paths of the pictures, by title.
        weights: files of published weights.
        folder: the page's folder. All links are relative to it.
    """
    parts = [
        {
            'title': section.question,
            'about': section.about,
            'table': page.markup(_table(section)) if any(row.finished for row in section.rows) else '',
            'missing': ', '.join(row.label for row in section.rows if not row.finished),
            'pictures': [(title, page.address(pictures[title], folder)) for title in _groups([section])],
        }
        for section in sorted(sections, key=lambda section: not any(row.finished for row in section.rows))
    ]
    return page.fill('readme.md', parts=parts, weights=[_weights(path, folder) for path in weights])


def _table(section: Section) -> str:
    heads = [*SHOWN, *(column.head for column in columns.further(section))]
    return columns.table(section, heads).markdown()


def draw(sections: Sequence[Section], pictures: Mapping[str, Path]) -> dict[Path, bytes]:
    """Draws the curves of each group of rows with a finished run, as SVG. `pictures` are those of `drawings`."""
    return {pictures[title]: charts.drawn(curves(rows, title), 'svg') for title, rows in _groups(sections).items()}


def drawings(sections: Sequence[Section], folder: Path) -> dict[str, Path]:
    """Returns the files of the curves, by title."""
    return {title: folder / f'{page.file_name(title)}.svg' for title in _groups(sections)}


def insert(text: str, results: str) -> str:
    """Replaces the part of a page between the two comments. Raises ConfigError if the comments are missing."""
    found = re.fullmatch(f'(.*{BEGIN}).*({END}.*)', text, re.DOTALL)
    if not found:
        raise ConfigError(f'README.md and results/README.md: must have the lines {BEGIN} and {END}')
    return f'{found[1]}\n\n{results.strip()}\n\n{found[2]}'


def _groups(sections: Sequence[Section]) -> dict[str, list[Row]]:
    """Returns the finished rows of each group, by the title of their curves."""
    return {
        f'{section.name}: {group}' if group else section.name: finished
        for section in sections
        for group, rows in section.groups.items()
        if (finished := [row for row in rows if row.finished])
    }


def describe_weights(card: Mapping[str, Any]) -> str:
    """Describes weights: 'test error 8.75 %, the run of seed 2, the median of seeds 0, 1, 2'."""
    text, seeds = f'test error {card["test_error"]:.2f} %, the run of seed {card["seed"]}', card['median_of_seeds']
    return text if len(seeds) == 1 else f'{text}, the median of seeds {", ".join(map(str, seeds))}'


def _weights(path: Path, folder: Path) -> tuple[str, str, str]:
    """Returns the name of published weights, the address of their file, and their description."""
    card = read_card(path)
    if card is None or card['file'] is None or 'median_of_seeds' not in card:
        raise ConfigError(f'{path}: must be published weights; its card names no seeds')
    name = wording.label(config_name(card['file']), card['changes'])
    return name, page.address(path, folder), describe_weights(card)
