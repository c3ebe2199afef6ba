"""The results in README.md and results/README.md: tables of measured runs, their curves as SVG, and weights."""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from jax_resnet.config.identity import config_name
from jax_resnet.errors import ConfigError
from jax_resnet.report import charts, columns, templating, wording
from jax_resnet.report.figure import figure
from jax_resnet.report.sections import Row, Section
from jax_resnet.report.table import Table
from jax_resnet.runs.weights import read_card

BEGIN, END = '<!-- results: made by python -m jax_resnet results table -->', '<!-- end of results -->'


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
            'table': templating.markup(_table(section).markdown()) if _is_measured(section) else '',
            'missing': ', '.join(row.label for row in section.rows if not row.finished),
            'pictures': [
                (title, templating.address(pictures[title], folder))
                for group in section.groups
                if (title := _title(section, group)) in pictures
            ],
        }
        for section in sorted(sections, key=lambda section: not _is_measured(section))
    ]
    return templating.markdown('readme.md', parts=parts, weights=[_weights(path, folder) for path in weights])


def draw(sections: Sequence[Section], pictures: Mapping[str, Path]) -> dict[Path, bytes]:
    """Draws the curves of each group of rows with a finished run, as SVG. `pictures` are those of `drawings`."""
    return {
        pictures[title]: charts.drawn(figure([row for row in rows if row.finished], title), 'svg')
        for title, rows in _groups(sections).items()
    }


def drawings(sections: Sequence[Section], folder: Path) -> dict[str, Path]:
    """Returns the files of the curves, by title."""
    return {
        title: folder / f'{re.sub(r"[^a-z0-9]+", "_", title.lower()).strip("_")}.svg' for title in _groups(sections)
    }


def insert(page: str, text: str) -> str:
    """Replaces the part of a page between the two comments. Raises ConfigError if the comments are missing."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ConfigError(f'README.md and results/README.md: must have the lines {BEGIN} and {END}')
    return f'{before}{BEGIN}\n\n{text}\n\n{END}{after}'


def _is_measured(section: Section) -> bool:
    return any(row.finished for row in section.rows)


def _columns(section: Section) -> dict[str, Callable[[Row], str]]:
    """Returns the columns of a table by their heading, like `columns.columns`, for rows with a finished run."""
    has_published = any(row.published is not None or row.published_text for row in section.rows)
    result: dict[str, Callable[[Row], str]] = {
        'test error: median': lambda row: f'{row.median:.2f}',
        'mean ± std': lambda row: (
            columns.NONE if row.std is None else columns.with_spread(row.mean('final_test_error'), row.std)
        ),
    }
    result |= {f'{head}: mean': cell for head, cell in columns.further_columns(section).items()}
    result['runs'] = lambda row: f'{len(row.finished)}'
    if has_published:
        result['published'] = lambda row: (
            row.published_text or (columns.NONE if row.published is None else f'{row.published:.2f}')
        )
    result['minutes per run'] = lambda row: f'{median(row.values("seconds")) / 60:.1f}'
    result['device'] = lambda row: ', '.join(dict.fromkeys(run.summary['device'] for run in row.finished))
    return result


def _table(section: Section) -> Table:
    cells = _columns(section)
    rows = [[row.label, *(cell(row) for cell in cells.values())] for row in section.rows if row.finished]
    return Table(['network', *cells], rows)


def _groups(sections: Sequence[Section]) -> dict[str, Sequence[Row]]:
    """Returns the groups of rows with a finished run, by the title of their curves."""
    return {
        _title(section, group): rows
        for section in sections
        for group, rows in section.groups.items()
        if any(row.finished for row in rows)
    }


def _title(section: Section, group: str) -> str:
    return f'{section.name}: {group}' if group else section.name


def describe_weights(card: Mapping[str, Any]) -> str:
    """Describes weights: 'test error 8.75 %, seed 2, the median of seeds 0, 1, 2'."""
    seeds = ', '.join(map(str, card['median_of_seeds']))
    which = f'the median of seeds {seeds}' if ',' in seeds else 'a single run'
    if len(card['median_of_seeds']) % 2 == 0:
        which = f'next to the median, {card["median_test_error"]:.2f} %, of seeds {seeds}'
    return f'test error {card["test_error"]:.2f} %, seed {card["seed"]}, {which}'


def _weights(path: Path, folder: Path) -> tuple[str, str, str]:
    """Returns the name of published weights, the address of their file, and their description."""
    card = read_card(path)
    if card is None or card['file'] is None or 'median_of_seeds' not in card:
        raise ConfigError(f'{path}: must be published weights; its card names no seeds')
    name = wording.label(config_name(card['file']), card['changes'])
    return name, templating.address(path, folder), describe_weights(card)
