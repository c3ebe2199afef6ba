"""The results part of README.md: a table of measured runs for each section, and their curves as SVG."""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from jax_resnet.errors import ConfigError
from jax_resnet.report import charts, columns, templating, wording
from jax_resnet.report.figure import figure
from jax_resnet.report.sections import Row, Section
from jax_resnet.report.table import Table
from jax_resnet.runs import weights

BEGIN, END = '<!-- results: made by python -m jax_resnet.results table -->', '<!-- end of results -->'


def part(sections: Sequence[Section], pictures: Mapping[str, Path], cards: Sequence[Path]) -> str:
    """Returns the results part, as Markdown.

    Args:
        sections: one table each. For a section without rows, the text says that there are no results.
        pictures: the paths of the pictures, by title.
        cards: the cards of published weights. All paths are relative to the folder of README.md.
    """
    here = Path()
    parts = [
        {
            'title': section.question,
            'about': section.about,
            'table': templating.markup(_table(section).markdown()) if section.rows else '',
            'pictures': [
                (title, templating.address(pictures[title], here))
                for group in section.groups
                if (title := _title(section, group)) in pictures
            ],
        }
        for section in sections
    ]
    return templating.markdown('readme.md', parts=parts, weights=[*map(_weights, cards)])


def draw(sections: Sequence[Section], folder: Path) -> dict[str, Path]:
    """Draws the curves of each group of rows with a finished run, as SVG. Returns the files by title.

    It deletes all other SVG files of the folder.
    """
    drawn = drawings(sections, folder)
    folder.mkdir(parents=True, exist_ok=True)
    for stale in {*folder.glob('*.svg')} - {*drawn.values()}:
        stale.unlink()
    for section in sections:
        for group, rows in section.groups.items():
            title = _title(section, group)
            if title in drawn:
                charts.save(figure([row for row in rows if row.finished], title), drawn[title])
    return drawn


def drawings(sections: Sequence[Section], folder: Path) -> dict[str, Path]:
    """Returns the same as `draw`, but draws nothing."""
    titles = [
        _title(section, group)
        for section in sections
        for group, rows in section.groups.items()
        if any(row.finished for row in rows)
    ]
    return {title: folder / f'{re.sub(r"[^a-z0-9]+", "_", title.lower()).strip("_")}.svg' for title in titles}


def insert(readme: str, text: str) -> str:
    """Replaces the part between the two comments of README.md. Raises ConfigError if the comments are missing."""
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ConfigError(f'README.md: must have the lines {BEGIN} and {END}')
    return f'{before}{BEGIN}\n\n{text}\n\n{END}{after}'


def _columns(section: Section) -> dict[str, Callable[[Row], str]]:
    """Returns the columns of a table by their heading, like `columns.columns`."""
    has_published = any(row.published is not None or row.published_text for row in section.rows)
    result: dict[str, Callable[[Row], str]] = {
        'test error: median': lambda row: 'not measured' if row.median is None else f'{row.median:.2f}',
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
    result['minutes a run'] = lambda row: f'{median(row.values("seconds")) / 60:.1f}' if row.finished else columns.NONE
    result['device'] = lambda row: (
        ', '.join(dict.fromkeys(run.summary['device'] for run in row.finished)) or columns.NONE
    )
    return result


def _table(section: Section) -> Table:
    cells = _columns(section)
    rows = [[row.label, *(cell(row) for cell in cells.values())] for row in section.rows]
    return Table(['network', *cells], rows)


def _title(section: Section, group: str) -> str:
    return f'{section.name}: {group}' if group else section.name


def describe_weights(card: Mapping[str, Any]) -> str:
    """Describes weights: 'test error 8.75 %, seed 2, the median of seeds 0, 1, 2'."""
    told, seeds = f'test error {card["test_error"]:.2f} %, seed {card["seed"]}', card['median_of_seeds']
    return f'{told}, the median of seeds {", ".join(map(str, seeds))}' if len(seeds) > 1 else f'{told}, a single run'


def _weights(path: Path) -> tuple[str, str, str]:
    """Returns, for a card, the name of the weights, the address of their file, and their description."""
    try:
        card = weights.read_card(path)
        name = wording.label(card['config_file'], card['overrides'])
        return name, templating.address(path.with_suffix('.safetensors'), Path()), describe_weights(card)
    except KeyError as e:
        raise ConfigError(f'{path}: must be the card of published weights; it has no {e}') from None
