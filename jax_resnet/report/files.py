"""Writes the files of a report: the page, and the same content as Markdown, CSV, PNG and SVG."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jax_resnet import files
from jax_resnet.errors import ConfigError, DataError
from jax_resnet.report import charts, columns, page, pictures, predictions, run_facts, templating
from jax_resnet.report.answer import answers
from jax_resnet.report.pictures import Charts
from jax_resnet.report.sections import Section


def write(sections: Sequence[Section], out: Path) -> list[Path]:
    """Writes a report.

    Args:
        sections: the sections of the report.
        out: the path of the page, such as `report.html`. `report.md`, `report.csv` and the folder `report_pictures` are
            written to the same folder.

    Returns:
        The paths of the page, the Markdown and the CSV file, and the folder of pictures.

    Raises:
        ConfigError: the name does not end in .html, or the drawing libraries are missing.
        DataError: a file cannot be written.
    """
    if out.suffix != '.html':
        raise ConfigError(f'--out={out}: must be the path of a page, such as report.html')
    drawn = {section.name: pictures.of_section(section) for section in sections}
    folder = out.with_name(f'{out.stem}_pictures')
    try:
        folder.mkdir(parents=True, exist_ok=True)
        paths = _draw(sections, drawn, folder)
        files.write(out, page.render(sections, drawn, out.parent).encode())
        files.write(out.with_suffix('.md'), markdown(sections, paths, out.parent).encode())
        files.write(out.with_suffix('.csv'), columns.numbers(sections).csv().encode())
    except OSError as e:
        raise DataError(f'--out={out}: cannot be written ({e.strerror})') from None
    return [out, out.with_suffix('.md'), out.with_suffix('.csv'), folder]


def _draw(
    sections: Sequence[Section], drawn: Mapping[str, Mapping[str, Charts]], folder: Path
) -> dict[str, list[Path]]:
    """Draws all charts as PNG and SVG. Returns, for each section, the pictures that the Markdown shows."""
    paths: dict[str, list[Path]] = {}
    for section in sections:
        written = paths.setdefault(section.name, [])
        for title, by_kind in drawn[section.name].items():
            for kind, chart in by_kind.items():
                name = re.sub(r'[^a-z0-9]+', '_', f'{section.name} {title} {kind}'.lower()).strip('_')[:100]
                for suffix in ('.png', '.svg'):
                    charts.save(chart, folder / f'{name}{suffix}')
                written.append(folder / f'{name}.png')
        if section.only_run is None:
            continue
        written += predictions.drawings(section.only_run)
        test_predictions = predictions.read_if_undamaged(section.only_run)
        for i, mistake in enumerate(test_predictions.mistakes if test_predictions else []):
            (folder / f'mistake{i + 1:02}.png').write_bytes(mistake.png())
    return paths


def markdown(sections: Sequence[Section], paths: Mapping[str, Sequence[Path]], folder: Path) -> str:
    """Returns the report as Markdown. Its links to pictures and runs are relative to `folder`."""

    def part(section: Section) -> dict[str, Any]:
        varied = columns.varied(section)
        return {
            'section': section,
            'answers': answers(section),
            'states': columns.states(section),
            'table': templating.markup(columns.table(section, folder).markdown()),
            'notes': columns.explain(section),
            'facts': run_facts.facts(section.only_run) if section.only_run else [],
            'varied': templating.markup(varied.markdown()) if len(varied.heads) > 1 else '',
            'pictures': [(path.stem, templating.address(path, folder)) for path in paths[section.name]],
        }

    return templating.markdown('report.md', parts=[part(section) for section in sections]) + '\n'
