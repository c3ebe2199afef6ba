"""Writes the files of a report: the page, and the same content as Markdown, CSV, PNG and SVG."""

import hashlib
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

WROTE = b'\n<!-- python -m jax_resnet report wrote files with these SHA-256: '
"""The last line of a page begins with this. It has the digests of the page before this line, and of its other files."""


def write(sections: Sequence[Section], out: Path) -> list[Path]:
    """Writes a report. It replaces the files of an earlier report of this name, and no others.

    Args:
        sections: the sections of the report.
        out: the path of the page, such as `report.html`. `report.md`, `report.csv` and the folder `report_pictures` are
            written to the same folder.

    Returns:
        The paths of the page, the Markdown and the CSV file, and the folder of pictures.

    Raises:
        ConfigError: the name does not end in .html, another file has one of the names, or the drawing libraries are
            missing.
        DataError: a file cannot be written.
    """
    if out.suffix != '.html':
        raise ConfigError(f'--out={out}: must be the path of a page, such as report.html')
    charts_of = {section.name: pictures.of_section(section) for section in sections}
    folder = out.parent / f'{out.stem}_pictures'
    drawn, paths = _draw(sections, charts_of, folder)
    contents = {
        out: page.render(sections, charts_of, out.parent).encode(),
        out.with_suffix('.md'): markdown(sections, paths, out.parent).encode(),
        out.with_suffix('.csv'): columns.numbers(sections).csv().encode(),
        **drawn,
    }
    digests = sorted({*map(_digest, contents.values())})
    contents[out] += WROTE + ' '.join(digests).encode() + b' -->\n'
    try:
        earlier = _earlier(out, folder)
        for path in contents:
            if path.exists() and path not in earlier:
                raise ConfigError(
                    f'--out={out}: {files.shown(path)} was not written by a report, or was changed since; move it, or '
                    'give another name'
                )
        folder.mkdir(parents=True, exist_ok=True)
        files.write_all(contents)
        for stale in earlier - contents.keys():
            stale.unlink()
    except OSError as e:
        raise DataError(f'--out={out}: cannot be written ({e.strerror})') from None
    return [out, out.with_suffix('.md'), out.with_suffix('.csv'), folder]


def _earlier(out: Path, folder: Path) -> set[Path]:
    """Returns the files that an earlier report of this name wrote, and nobody has changed since."""
    found = [out, out.with_suffix('.md'), out.with_suffix('.csv'), *folder.glob('*')]
    contents = {path: files.read(path) for path in found if path.is_file()}
    contents[out], _, line = contents.get(out, b'').rpartition(WROTE)
    digests = line.decode(errors='replace').split()
    return {path for path, content in contents.items() if _digest(content) in digests}


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _draw(
    sections: Sequence[Section], charts_of: Mapping[str, Mapping[str, Charts]], folder: Path
) -> tuple[dict[Path, bytes], dict[str, list[Path]]]:
    """Draws all charts as PNG and SVG. Returns the files, and for each section the pictures that the Markdown shows."""
    drawn: dict[Path, bytes] = {}
    paths: dict[str, list[Path]] = {}
    for section in sections:
        shown = paths.setdefault(section.name, [])
        for title, by_kind in charts_of[section.name].items():
            for kind, chart in by_kind.items():
                name = re.sub(r'[^a-z0-9]+', '_', f'{section.name} {title} {kind}'.lower()).strip('_')[:100]
                for suffix in ('png', 'svg'):
                    drawn[folder / f'{name}.{suffix}'] = charts.drawn(chart, suffix)
                shown.append(folder / f'{name}.png')
        if section.only_run is None:
            continue
        shown += predictions.drawings(section.only_run)
        test_predictions = predictions.read_if_undamaged(section.only_run)
        for i, mistake in enumerate(test_predictions.mistakes if test_predictions else []):
            drawn[folder / f'mistake{i + 1:02}.png'] = mistake.png()
    return drawn, paths


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
