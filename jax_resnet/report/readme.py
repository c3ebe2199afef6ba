"""The results in README.md and results/README.md: tables of measured runs, their curves as SVG, and weights."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jax_resnet import files
from jax_resnet.config.identity import config_name
from jax_resnet.errors import ConfigError
from jax_resnet.report import charts, columns, page, wording
from jax_resnet.report.curves import curves
from jax_resnet.report.sections import Row, Section
from jax_resnet.runs import results_folder, weights
from jax_resnet.runs import run as runs
from jax_resnet.runs.run import Run

README, CHANGED = Path('README.md'), Path('results', 'README.md')
"""The pages with results: of the configs as they are, and of configs with changed fields."""

BEGIN, END = '<!-- results: made by python -m jax_resnet results table -->', '<!-- end of results -->'

CURVES = Path('results', 'curves')

SHOWN = ('final test error', 'median', 'seeds', 'published', 'time', 'device')
"""The columns of the tables, and further errors if there are any."""


def write() -> list[Path]:
    """Writes the results in both pages, and their curves, from the runs in `results`. Returns the paths.

    Raises:
        ConfigError: this folder is not the repository, or a page lacks the two comments.
    """
    sections = read()
    contents = {path: fill(path, section).encode() for path, section in sections.items()} | {
        picture: charts.drawn(curves(rows, title), 'svg')
        for section in sections.values()
        for title, (picture, rows) in pictures(section).items()
    }
    CURVES.mkdir(parents=True, exist_ok=True)
    files.write(contents)
    for stale in {*CURVES.glob('*.svg')} - contents.keys():
        stale.unlink()
    return [*contents]


def read() -> dict[Path, Section]:
    """Makes the section of each page: a row for each config with its changes."""
    if not Path('configs', 'index.py').is_file():
        raise ConfigError('results table: must run in the root of the repository')
    from configs import index

    measured: dict[tuple[Path, str, str], list[Run]] = {}
    for run in map(runs.read, results_folder.paths()):
        path, label = CHANGED if run.changes else README, wording.label(run.name, run.changes)
        measured.setdefault((path, label, run.recipe['dataset.name']), []).append(run)
    sections = {}
    for path, name in ((README, 'Results'), (CHANGED, 'Changed configs')):
        rows = [
            Row(label, data, same, None, index.published(label).removesuffix(' %') if path == README else '')
            for (page_of_row, label, data), same in measured.items()
            if page_of_row == path
        ]
        sections[path] = Section(name, name, rows)
    return sections


def fill(path: Path, section: Section) -> str:
    """Returns a page with its results, between the two comments. Raises ConfigError if the comments are missing."""
    heads = [*SHOWN, *(column.head for column in columns.further(section))]
    cards = {file: weights.read(file).card for file in sorted(Path('results', 'weights').glob('**/*.safetensors'))}
    results = page.fill(
        'readme.md',
        table=page.markup(columns.table(section, heads).markdown() if section.rows else 'None yet.'),
        pictures=[(title, page.address(file, path.parent)) for title, (file, _) in pictures(section).items()],
        weights=[
            (wording.label(config_name(card['file']), card['changes']), page.address(file, path.parent), describe(card))
            for file, card in cards.items()
            if card is not None and card['file'] is not None and bool(card['changes']) == (path == CHANGED)
        ],
    )
    found = re.fullmatch(f'(.*{BEGIN}).*({END}.*)', path.read_text(encoding='utf-8'), re.DOTALL)
    if not found:
        raise ConfigError(f'{path}: must have the lines {BEGIN} and {END}')
    return f'{found[1]}\n\n{results.strip()}\n\n{found[2]}'


def pictures(section: Section) -> dict[str, tuple[Path, list[Row]]]:
    """Returns the file of the curves of each group, and their rows, by title."""
    titles = {f'{section.name}: {group}': rows for group, rows in section.groups.items()}
    return {title: (CURVES / f'{page.file_name(title)}.svg', rows) for title, rows in titles.items()}


def describe(card: Mapping[str, Any]) -> str:
    """Describes weights: 'test error 8.75 %, the run of seed 2, the median of seeds 0, 1, 2'."""
    run, seeds = f'test error {card["test_error"]:.2f} %, the run of seed {card["seed"]}', card['median_of_seeds']
    return run if len(seeds) == 1 else f'{run}, the median of seeds {", ".join(map(str, seeds))}'
