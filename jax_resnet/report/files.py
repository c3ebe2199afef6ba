"""The files of a report: the page, and the same as Markdown, CSV, PNG and SVG."""

import csv
import io
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jax_resnet.errors import ConfigError
from jax_resnet.report import charts, page, pictures, single_run, table
from jax_resnet.report.answer import answers
from jax_resnet.report.pictures import Charts
from jax_resnet.report.sections import Row, Section


def write(sections: Sequence[Section], out: Path) -> list[Path]:
    """Writes a report.

    Args:
        sections: of the report.
        out: the page, `report.html`; beside it come `report.md`, `report.csv` and a folder `report_pictures`.

    Returns:
        The files; the folder in place of the pictures.

    Raises:
        ConfigError: a name that does not end in .html, or no library to draw with.
    """
    if out.suffix != '.html':
        raise ConfigError(f'--out={out}: must be a page, such as report.html')
    drawn = {section.name: pictures.of_section(section) for section in sections}
    folder = out.with_name(f'{out.stem}_pictures')
    folder.mkdir(parents=True, exist_ok=True)
    paths = _draw(sections, drawn, folder)
    out.write_text(page.render(sections, drawn, out.parent))
    out.with_suffix('.md').write_text(markdown(sections, paths, out.parent))
    out.with_suffix('.csv').write_text(as_csv(sections))
    return [out, out.with_suffix('.md'), out.with_suffix('.csv'), folder]


def _draw(
    sections: Sequence[Section], drawn: Mapping[str, Mapping[str, Charts]], folder: Path
) -> dict[str, list[Path]]:
    """Draws all charts as PNG and SVG; returns the pictures of each section that Markdown shows."""
    paths: dict[str, list[Path]] = {}
    for section in sections:
        made = paths.setdefault(section.name, [])
        for title, by_kind in drawn[section.name].items():
            for kind, chart in by_kind.items():
                name = re.sub(r'[^a-z0-9]+', '_', f'{section.name} {title} {kind}'.lower()).strip('_')
                for suffix in ('.png', '.svg'):
                    charts.save(chart, folder / f'{name}{suffix}')
                made.append(folder / f'{name}.png')
        run = pictures.only_run(section)
        made += single_run.drawings(run) if run else []
        for i, mistake in enumerate(single_run.mistakes(run) if run else []):
            (folder / f'mistake{i + 1:02}.png').write_bytes(mistake.png())
    return paths


def markdown(sections: Sequence[Section], paths: Mapping[str, Sequence[Path]], folder: Path) -> str:
    """The report as Markdown, with links from `folder` to pictures and runs."""
    parts = []
    for section in sections:
        heads, cells = table.rows(section)
        parts.append(f'## {section.question}' + (' (rehearsal)' if section.is_rehearsal else ''))
        parts += answers(section)
        parts.append('\n'.join(f'- {line}' for line in table.states(section)))
        lines = [
            [_links(row, folder, text) if head == 'runs' else text for head, text in zip(heads, texts, strict=True)]
            for row, texts in zip(section.rows, cells, strict=True)
        ]
        rule = ['---', *['---:'] * (len(heads) - 1)]
        parts.append('\n'.join('| ' + ' | '.join(line) + ' |' for line in [heads, rule, *lines]))
        parts += table.explain(section)
        if section.varied:
            varied = [
                f'- {name}: ' + ', '.join(f'{v} ({row.label})' for v, row in zip(values, section.rows, strict=True))
                for name, values in section.varied.items()
            ]
            parts.append('What varied between the runs:\n\n' + '\n'.join(varied))
        parts += [f'![{path.stem}]({Path(os.path.relpath(path, folder)).as_posix()})' for path in paths[section.name]]
    return '\n\n'.join(parts) + '\n'


def _links(row: Row, folder: Path, text: str) -> str:
    return f'{text}: ' + ', '.join(f'[{run.seed}]({page.link(run, folder)})' for run in row.runs)


def as_csv(sections: Sequence[Section]) -> str:
    """A line a row of the report's tables, with numbers as they are and the run folders."""
    lines = [_values(section, row) for section in sections for row in section.rows]
    file = io.StringIO()
    writer = csv.DictWriter(file, list(lines[0]), lineterminator='\n')
    writer.writeheader()
    writer.writerows(lines)
    return file.getvalue()


def _values(section: Section, row: Row) -> dict[str, Any]:
    least, greatest, mean = row.in_window or (None, None, None)
    return {
        'study': section.name,
        'rehearsal': section.is_rehearsal,
        'group': row.group,
        'row': row.label,
        'network': table.network(row),
        'parameters': row.mean('parameters'),
        'multiply_adds': row.mean('multiply_adds'),
        'runs': len(row.runs),
        'finished': len(row.finished),
        'test_error_mean': row.mean('final_test_error'),
        'test_error_std': row.std,
        'test_error_median': row.median,
        'window_first_epoch': row.window and row.window[0],
        'window_last_epoch': row.window and row.window[1],
        'window_mean': mean,
        'window_least': least,
        'window_greatest': greatest,
        'best_test_error_mean': row.mean('best_test_error'),
        'published': row.published,
        'published_text': row.published_text,
        'difference': section.difference(row),
        'train_error_mean': row.mean('final_train_error'),
        'seconds_mean': row.mean('seconds'),
        'devices': '; '.join(dict.fromkeys(run.summary['device'] for run in row.finished)),
        'run_folders': '; '.join(str(run.folder) for run in row.runs),
        'states': '; '.join(run.state for run in row.runs),
    }
