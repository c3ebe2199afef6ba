"""Keeps measured results and weights, and makes their tables.

- `add RUN ...` keeps the small files of each finished run.
- `weights RUN ...` writes the weights of the run with the median test error, with a card. Of an even number of runs,
  it takes the better of the two middle ones.
- `table` writes the tables and curves of README.md and results/README.md again, from the runs in `results`.
"""

import argparse
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from jax_resnet import files
from jax_resnet.commands import command_line
from jax_resnet.errors import ConfigError

STUDY = 'configs/studies/figure6_2015.py'
"""The study with the rows of the README's first table, measured or not."""

README, CHANGED = Path('README.md'), Path('results', 'README.md')
"""The pages with results: of the configs as they are, and of configs with changed fields."""

CURVES = Path('results', 'curves')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(required=True, metavar='add | weights | table')
    add = command_line.add_parser(actions, 'add', 'keeps the small files of finished runs', action=_add)
    publish = command_line.add_parser(actions, 'weights', 'writes the weights of the median run', action=_weights)
    command_line.add_parser(actions, 'table', 'writes the tables and curves again', action=_table)
    for action in (add, publish):
        action.add_argument('runs', nargs='+', help='run folders')
    publish.add_argument(
        '--out', help='the .safetensors file to write (default: results/weights/<config name>.safetensors)'
    )


def run(options: argparse.Namespace) -> None:
    options.action(options)


def _add(options: argparse.Namespace) -> None:
    from jax_resnet.runs import results_folder

    for run in [results_folder.finished(folder) for folder in options.runs]:
        told = f'{run.summary["final_test_error"]:.2f} % test error, {run.config and run.config.length}'
        print(f'{results_folder.add(run)}: {told}')


def _weights(options: argparse.Namespace) -> None:
    import jax_resnet
    from jax_resnet.report import readme
    from jax_resnet.runs import results_folder, weights
    from jax_resnet.runs.run_folder import RunFolder
    from jax_resnet.training.load import flat

    runs = [results_folder.finished(folder) for folder in options.runs]
    for run in runs:
        if run.recipe != runs[0].recipe:
            raise ConfigError(f'{run.folder}: must have the config of {runs[0].folder}; only the seed may differ')
    ranked = sorted(runs, key=lambda run: (run.summary['final_test_error'], run.seed))
    middle = ranked[(len(ranked) - 1) // 2]
    card = {
        'file': middle.file,
        'changes': middle.changes,
        'seed': middle.seed,
        'median_of_seeds': sorted(run.seed for run in runs),
        'test_error': middle.summary['final_test_error'],
        'test_count': middle.summary['test_count'],
        'parameters': middle.summary['parameters'],
        'environment': middle.starts,
        'fields': middle.config,
    }
    kept = results_folder.result_path(middle).parent.relative_to(results_folder.RESULTS)
    path = Path(options.out or results_folder.RESULTS / 'weights' / f'{kept}.safetensors')
    trained = jax_resnet.load(middle.folder)
    weights.write(path, flat(trained.variables), card, RunFolder(middle.folder).preprocessing())
    print(f'{path}: {readme.describe_weights(card)}')


def _table(options: argparse.Namespace) -> None:
    from jax_resnet.report import readme

    pages = page_sections()
    sections = [*chain.from_iterable(pages.values())]
    pictures = readme.drawings(sections, CURVES)
    texts = {page: with_results(page, part, pictures).encode() for page, part in pages.items()}
    CURVES.mkdir(parents=True, exist_ok=True)
    files.write_all(readme.draw(sections, pictures) | texts)
    for stale in {*CURVES.glob('*.svg')} - {*pictures.values()}:
        stale.unlink()
    for page in texts:
        print(f'{page}: {sum(len(row.finished) for section in pages[page] for row in section.rows)} runs')
    for picture in pictures.values():
        print(picture)


def with_results(page: Path, sections: Sequence[Any], pictures: Mapping[str, Path]) -> str:
    """Returns the text of a page, with its part of the results replaced."""
    from jax_resnet.report import readme

    try:
        text = page.read_text(encoding='utf-8')
    except FileNotFoundError:
        text = f'{readme.BEGIN}\n{readme.END}\n'
    return readme.insert(text, readme.part(sections, pictures, published_weights(page == CHANGED), page.parent))


def published_weights(changed: bool) -> list[Path]:
    """Returns the published weights: of unchanged configs, or of configs with changed fields."""
    from jax_resnet.runs import weights

    cards = {path: weights.read_card(path) for path in sorted(Path('results', 'weights').glob('**/*.safetensors'))}
    return [path for path, card in cards.items() if card is not None and bool(card['changes']) == changed]


def page_sections() -> dict[Path, list[Any]]:
    """Makes the sections of both pages.

    README.md has the paper's table and other configs as they are. results/README.md has configs with changed fields.
    """
    if not Path(STUDY).is_file():
        raise ConfigError(f'{STUDY}: no such file; the command must run in the root of the repository')
    from configs import index
    from jax_resnet import studies
    from jax_resnet.report import sections, wording
    from jax_resnet.runs import results_folder
    from jax_resnet.runs import run as runs

    left = [runs.read(path) for path in results_folder.paths()]
    plan = studies.read(STUDY, seeds=[0])
    paper = []
    for planned in plan.rows:
        measured = [run for run in left if run.recipe == planned.recipe]
        left = [run for run in left if run not in measured]
        paper.append(sections.Row(planned.label, planned.group, measured, planned.published, planned.published_text))
    by_label: dict[tuple[str, str, bool], list[Any]] = {}
    for run in left:
        key = wording.label(run.name, run.changes), run.recipe['dataset.name'], not run.changes
        by_label.setdefault(key, []).append(run)

    def rows(unchanged: bool) -> list[sections.Row]:
        return [
            sections.Row(label, data, measured, None, index.published(label) if unchanged else '')
            for (label, data, is_unchanged), measured in by_label.items()
            if is_unchanged == unchanged
        ]

    def section(name: str, title: str, about: str, table: list[sections.Row]) -> sections.Section:
        return sections.Section(name, title, table, about, plan.source)

    errors = 'Test errors in % at the end of training, with their standard deviation over seeds.'
    return {
        README: [
            section('Figure 6', 'CIFAR-10, by the 2015 paper', f'{errors} Published: {plan.source}.', paper),
            section('Other configs', 'Other configs', errors, rows(True)),
        ],
        CHANGED: [section('Changed configs', 'Runs', errors, rows(False))],
    }
