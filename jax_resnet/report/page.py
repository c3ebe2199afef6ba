"""Writes sections: as lines for a terminal; and as a page, with the same content as Markdown, CSV and pictures."""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jax_resnet import files
from jax_resnet.errors import ConfigError, printable
from jax_resnet.report import charts, columns, curves, single_run
from jax_resnet.report.answer import answers
from jax_resnet.report.columns import escaped
from jax_resnet.report.sections import Section
from jax_resnet.runs.run_folder import RunFolder

GENERATOR = 'python -m jax_resnet report'
"""A page has this in its head."""


def plain(section: Section) -> str:
    """Returns a section for a terminal: its question, the answers, its table, and what to know beside the numbers."""
    table = columns.table(section)
    blocks = [
        [section.title, *map(str, answers(section))],
        table.plain().splitlines(),
        [f'In all rows: {table.same}'] if table.same else [],
        columns.warnings(section),
    ]
    return '\n\n'.join('\n'.join(map(printable, block)) for block in blocks if block)


def write(sections: Sequence[Section], out: Path, notes: Path | None = None) -> list[Path]:
    """Writes a report. It replaces an earlier report of this name with its pictures, and no other files.

    Args:
        sections: the sections of the report.
        out: the path of the page, such as `report.html`. `report.md`, `report.csv` and the folder `report_pictures` are
            written to the same folder.
        notes: a file of Markdown, see `read_notes`. They stand under the answer of their section.

    Returns:
        The paths of the page, the Markdown and the CSV file, and the folder of pictures.

    Raises:
        ConfigError: the name does not end in .html, another file has one of the names, a file cannot be read, or the
            packages for reports are missing.
        OSError: a file cannot be written.
    """
    if out.suffix != '.html':
        raise ConfigError(f'--out={out}: must be the path of a page, such as report.html')
    charts.altair()
    folder, markdown, numbers = out.parent / f'{out.stem}_pictures', out.with_suffix('.md'), out.with_suffix('.csv')
    notes_of = {} if notes is None else read_notes(notes, [section.name for section in sections])
    parts = [_part(section, notes_of.get(section.name, ''), out.parent, folder) for section in sections]
    contents = {
        numbers: columns.as_csv(columns.numbers(sections)).encode(),
        markdown: fill('report.md', parts=parts).encode(),
    }
    for part in parts:
        for group in part['groups']:
            about = '; '.join(filter(None, [group['answer'].group, *part['section'].shared]))
            for chart in group['charts']:
                for suffix in ('png', 'svg'):
                    contents[folder / f'{chart["stem"]}.{suffix}'] = charts.drawn(chart['chart'], suffix, about)
        contents |= {folder / f'mistake{i:02}.png': png for i, (png, _) in enumerate(part['mistakes'], start=1)}
    contents[out] = fill('page.html', parts=parts, library=markup(charts.library()), generator=GENERATOR).encode()
    earlier = out.read_text(errors='replace') if out.is_file() else ''
    for path in () if GENERATOR in earlier else contents:
        if path.exists():
            raise ConfigError(f'--out={out}: {path} was not written by a report; move it, or give another name')
    folder.mkdir(parents=True, exist_ok=True)
    files.write(contents)
    for picture in {*folder.glob('*.png'), *folder.glob('*.svg')} - contents.keys():
        if f'<div id="{picture.stem}"' in earlier or re.fullmatch(r'mistake\d\d', picture.stem):
            picture.unlink()
    return [out, markdown, numbers, folder]


def read_notes(path: Path, names: Sequence[str]) -> dict[str, str]:
    """Reads the notes on each section from a file of Markdown.

    The notes on a section begin with a heading that is the name of the section, such as `# learning_rate`. Notes
    before such a heading are on the first section.
    """
    try:
        content = path.read_text(encoding='utf-8')
    except (OSError, UnicodeDecodeError) as e:
        raise ConfigError(f'--notes={path}: cannot be read ({getattr(e, "strerror", "it is not UTF-8")})') from None
    first, *rest = re.split(f'^#+ *({"|".join(map(re.escape, names))}) *$', content, flags=re.MULTILINE)
    notes = {names[0]: first.strip()}
    for name, part in zip(rest[::2], rest[1::2], strict=True):
        notes[name] = f'{notes.get(name, "")}\n\n{part}'.strip()
    return notes


def _part(section: Section, notes: str, page_folder: Path, pictures: Path) -> dict[str, Any]:
    """Returns what the templates show of a section."""
    run = section.runs[0][1] if len(section.runs) == 1 else None
    predictions = None if run is None else RunFolder(run.folder).predictions()
    groups: list[dict[str, Any]] = []
    for answer, rows in zip(answers(section), section.groups.values(), strict=True):
        number = f' {len(groups) + 1}' if len(section.groups) > 1 else ''
        drawn = {'answer': curves.overview(section, rows), **curves.group_charts(rows)}
        if run is not None and predictions is not None:
            drawn |= single_run.charts(run, predictions)
        shown = []
        for name, chart in drawn.items():
            if chart is not None:
                stem = file_name(f'{section.name}{number} {name}')
                path = address(pictures / f'{stem}.png', page_folder)
                shown.append({'chart': chart, 'name': name, 'stem': stem, 'address': path, **charts.embedded(chart)})
        groups.append({'answer': answer, 'rows': rows, 'charts': shown})
    return {
        'section': section,
        'groups': groups,
        'notes': notes,
        'table': columns.table(section),
        'run': run,
        'mistakes': single_run.mistakes(run, predictions) if run is not None and predictions is not None else [],
        'link': lambda path: address(path, page_folder) + ('/' if path.is_dir() else ''),
    }


def address(path: Path, folder: Path) -> str:
    """Returns the relative address of a file for a page in `folder`, quoted so that HTML and Markdown can hold it."""
    return quote(Path(os.path.relpath(path, folder)).as_posix(), safe='/=,')


def file_name(title: str) -> str:
    return re.sub(r'[^a-z0-9]+', '_', title.lower()).strip('_')


def fill(template: str, **values: Any) -> str:
    """Fills a template of HTML or Markdown. All values are escaped, except those made by `markup`."""
    import jinja2

    is_html = template.endswith('.html')
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader('jax_resnet.report'),
        undefined=jinja2.StrictUndefined,
        autoescape=is_html,
        finalize=None if is_html else lambda value: value if hasattr(value, '__html__') else escaped(str(value)),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies['json.dumps_kwargs'] = {'separators': (',', ':')}
    environment.globals |= {'columns': columns, 'single_run': single_run, 'markup': markup, 'html_of_markdown': _html}
    filled: str = environment.get_template(template).render(values)
    return filled if is_html else re.sub(r'\n{3,}', '\n\n', filled).strip() + '\n'


def markup(content: str) -> Any:
    """Marks a string as HTML or Markdown, so that it is not escaped."""
    from markupsafe import Markup

    return Markup(content)


def _html(markdown: str) -> Any:
    """Returns Markdown as HTML. HTML in it is escaped."""
    from markdown_it import MarkdownIt

    return markup(MarkdownIt('commonmark', {'html': False}).enable('table').render(markdown))
