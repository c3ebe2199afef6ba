"""The page: one HTML file that contains the tables, the charts and the code that draws them."""

import base64
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from jax_resnet.report import charts, columns, curves, predictions, run_facts, templating
from jax_resnet.report.answer import answers
from jax_resnet.report.pictures import Charts
from jax_resnet.report.sections import Row, Section


def render(sections: Sequence[Section], pictures: Mapping[str, Mapping[str, Charts]], folder: Path) -> str:
    """Returns the page, as HTML.

    Args:
        sections: the sections of the report.
        pictures: the charts, by section, title and name.
        folder: the folder of the page. Links to runs are relative to it.
    """
    return templating.html(
        'page.html',
        title=sections[0].question if len(sections) == 1 else f'{len(sections)} studies',
        parts=[_part(section, pictures[section.name], f's{i}') for i, section in enumerate(sections)],
        link=partial(columns.link, folder=folder),
        library=templating.markup(charts.library()),
        hint=curves.HINT,
    )


def _part(section: Section, pictures: Mapping[str, Charts], name: str) -> dict[str, Any]:
    table, run = columns.table(section), section.only_run
    texts = dict(zip(section.rows, table.rows, strict=True))

    def cells(row: Row) -> dict[str, Any]:
        return dict(zip(table.heads, texts[row], strict=True))

    part = {
        'section': section,
        'name': name,
        'answers': answers(section),
        'states': columns.states(section),
        'table': table,
        'cells': cells,
        'notes': columns.explain(section),
        'varied': columns.varied(section),
        'charts': [
            [charts.embedded(chart, f'{name}-{i}-{kind}') for kind, chart in drawn.items()]
            for i, drawn in enumerate(pictures.values())
        ],
        'about': [text for text in section.about.split('\n\n') if text and 'python -m' not in text],
    }
    if run is None:
        return part
    test_predictions = predictions.read_if_undamaged(run)
    return part | {
        'facts': run_facts.facts(run),
        'fields': run_facts.fields(run),
        'mistakes': test_predictions.mistakes if test_predictions else [],
        'drawings': [(path.stem.replace('_', ' '), _data_uri(path)) for path in predictions.drawings(run)],
    }


def _data_uri(path: Path) -> str:
    """Returns an SVG drawing as a data URI for an image element, in which no script runs."""
    return 'data:image/svg+xml;base64,' + base64.b64encode(path.read_bytes()).decode()
