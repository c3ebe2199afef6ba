"""The page: one file with everything in it, tables, charts and what draws them."""

import base64
import os
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from urllib.parse import quote

from jax_resnet.report import charts, curves, single_run, table
from jax_resnet.report.answer import answers
from jax_resnet.report.pictures import Charts, only_run
from jax_resnet.report.sections import Row, Section
from jax_resnet.runs.run import FINISHED, Run

STYLE = """
:root { --ink: #1d2939; --soft: #667085; --line: #e4e7ec; --wash: #f8f9fb; --accent: #4269a5; }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 24px 32px 64px; max-width: 1280px; color: var(--ink); background: white;
       font: 15px/1.5 system-ui, "Helvetica Neue", Helvetica, Arial, sans-serif; overflow-wrap: break-word; }
h1 { font-size: 26px; line-height: 1.25; margin: 8px 0 4px; }
h2 { font-size: 20px; line-height: 1.3; margin: 48px 0 8px; padding-top: 16px; border-top: 1px solid var(--line); }
h3 { font-size: 16px; margin: 24px 0 8px; }
p { margin: 8px 0; max-width: 80ch; }
a { color: var(--accent); }
.soft, .notes { color: var(--soft); font-size: 13px; }
.answer { font-size: 16px; }
.badge { display: inline-block; background: #fdf0e3; color: #93480f; border-radius: 4px; padding: 1px 8px;
         font-size: 13px; font-weight: 600; vertical-align: middle; }
.state { color: #a44a5f; }
table { border-collapse: collapse; width: 100%; font-size: 13px; font-variant-numeric: tabular-nums; margin: 16px 0; }
th { text-align: right; font-weight: 600; color: var(--soft); vertical-align: bottom; line-height: 1.25; }
td { text-align: right; vertical-align: top; }
th, td { padding: 6px 8px; border-bottom: 1px solid var(--line); }
th:first-child, td:first-child, th:nth-child(2), td:nth-child(2) { text-align: left; }
td:first-child { font-weight: 600; min-width: 100px; }
td[data-name='device'] { min-width: 88px; }
tr.group td { color: var(--soft); font-weight: 600; padding-top: 16px; }
td[data-name='test error'] span, td[data-name='time'] span, td[data-name='network'] span { white-space: nowrap; }
td[data-name='runs'] { min-width: 96px; }
.charts { display: grid; grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); gap: 16px 24px; align-items: start; }
.charts > :first-child { grid-column: 1 / -1; }
.charts.pair > :first-child { grid-column: auto; }
.chart { min-width: 0; }
.vega-embed.has-actions { padding-right: 0; }
.mistakes { display: flex; flex-wrap: wrap; gap: 16px; }
figure { margin: 0; width: 112px; }
figcaption { font-size: 12px; line-height: 1.3; color: var(--soft); white-space: pre-line; }
figure img { width: 96px; image-rendering: pixelated; border: 1px solid var(--line); }
.drawn { max-width: 100%; }
details { margin: 16px 0; } summary { cursor: pointer; color: var(--soft); }
@media (max-width: 860px) {
  body { padding: 16px 16px 48px; }
  .charts, .charts.pair { grid-template-columns: minmax(0, 1fr); }
  table, tbody, tr, td { display: block; width: 100%; }
  thead { display: none; }
  tr { border: 1px solid var(--line); border-radius: 6px; margin: 0 0 12px; padding: 4px 0; background: var(--wash); }
  td, td:nth-child(2) { display: flex; justify-content: space-between; gap: 16px; text-align: right; border: 0;
                        padding: 3px 12px; }
  td::before { content: attr(data-name); color: var(--soft); text-align: left; }
  td:first-child { font-size: 15px; } td:first-child::before { content: none; }
  tr.group { border: 0; background: none; margin: 16px 0 4px; } tr.group td { padding: 0; }
}
"""

BADGE = ' <span class="badge">rehearsal</span>'


def render(sections: Sequence[Section], pictures: Mapping[str, Mapping[str, Charts]], folder: Path) -> str:
    """The page, as HTML.

    Args:
        sections: of the report.
        pictures: charts by section, title and name.
        folder: where the page will lie, from which links to runs lead.
    """
    title = sections[0].question if len(sections) == 1 else f'{len(sections)} studies'
    body = ''.join(
        _section(section, pictures[section.name], folder, f's{i}', len(sections) > 1)
        for i, section in enumerate(sections)
    )
    contents = ''.join(f'<li><a href="#s{i}">{escape(section.question)}</a></li>' for i, section in enumerate(sections))
    badge = BADGE if len(sections) == 1 and sections[0].is_rehearsal else ''
    top = f'<h1>{escape(title)}{badge}</h1>' + (f'<ul>{contents}</ul>' if len(sections) > 1 else '')
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n<link rel="icon" href="data:,">\n'
        f'<title>{escape(title)}</title>\n<style>{STYLE}</style>\n{charts.scripts()}\n</head>\n'
        f'<body>\n{top}\n{body}\n</body>\n</html>\n'
    )


def _section(section: Section, pictures: Mapping[str, Charts], folder: Path, name: str, has_title: bool) -> str:
    badge = BADGE if section.is_rehearsal else ''
    parts = [f'<h2 id="{name}">{escape(section.question)}{badge}</h2>' if has_title else '']
    parts += [f'<p class="answer">{escape(text)}</p>' for text in answers(section)]
    parts.append(_states(section))
    parts.append(_table(section, folder))
    parts.append('<p class="notes">' + '<br>'.join(map(escape, table.explain(section))) + '</p>')
    if section.varied:
        parts.append(_varied(section))
    if pictures:
        parts.append(f'<p class="soft">{escape(curves.HINT)}</p>')
    for i, drawn in enumerate(pictures.values()):
        pair = ' pair' if len(drawn) == 2 else ''
        embedded = ''.join(f'<div>{charts.embed(chart, f"{name}-{i}-{kind}")}</div>' for kind, chart in drawn.items())
        parts.append(f'<div class="charts{pair}">{embedded}</div>')
    run = only_run(section)
    if run is not None:
        parts.append(_look(run))
    if section.about:
        about = '<p>'.join(escape(text) for text in section.about.split('\n\n') if 'python -m' not in text)
        parts.append(f'<details><summary>What the study says of itself</summary><p>{about}</p></details>')
    return '\n'.join(parts)


def _states(section: Section) -> str:
    first, *others = table.states(section)
    items = ''.join(f'<br><span class="state">{escape(text)}</span>' for text in others)
    return f'<p class="soft">{escape(first)}{items}</p>'


def _table(section: Section, folder: Path) -> str:
    heads, cells = table.rows(section)
    shown = [i for i, head in enumerate(heads) if head != 'group']  # groups have a line of their own
    lines: list[str] = []
    group = None
    for row, texts in zip(section.rows, cells, strict=True):
        if len(shown) < len(heads) and row.group != group:
            group = row.group
            title = next(name for name, rows in section.groups.items() if row in rows)
            lines.append(f'<tr class="group"><td colspan="{len(shown)}">{escape(title)}</td></tr>')
        made = []
        for i in shown:
            inside = escape(texts[i]) + (f'<br>{_links(row, folder)}' if heads[i] == 'runs' else '')
            made.append(f'<td data-name="{escape(heads[i])}"><span>{inside}</span></td>')
        lines.append(f'<tr>{"".join(made)}</tr>')
    head = ''.join(f'<th>{escape(heads[i])}</th>' for i in shown)
    return f'<table class="results"><thead><tr>{head}</tr></thead><tbody>{"".join(lines)}</tbody></table>'


def _links(row: Row, folder: Path) -> str:
    """The seeds of a row, each a link to its run folder."""
    return ('seeds ' if len(row.runs) > 1 else 'seed ') + ', '.join(
        f'<a href="{link(run, folder)}" title="{escape(str(run.folder))}">{run.seed}</a>'
        + ('' if run.state == FINISHED else f' <span class="state">({run.state})</span>')
        for run in row.runs
    )


def link(run: Run, folder: Path) -> str:
    """From a folder to a run, as a relative address."""
    return quote(Path(os.path.relpath(run.folder, folder)).as_posix()) + '/' * (run.folder.suffix != '.json')


def _varied(section: Section) -> str:
    names = list(section.varied)
    head = ''.join(f'<th>{escape(name)}</th>' for name in ('', *names))
    lines = ''.join(
        f'<tr><td>{escape(row.label)}</td>'
        + ''.join(
            f'<td data-name="{escape(name)}"><span>{escape(_value(section.varied[name][i]))}</span></td>'
            for name in names
        )
        + '</tr>'
        for i, row in enumerate(section.rows)
    )
    return (
        '<details><summary>What varied between the runs, by their configs</summary>'
        f'<table><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table></details>'
    )


def _value(value: object) -> str:
    return ', '.join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _look(run: Run) -> str:
    """What the run folder has to show of this run alone: mistakes, and pictures that other commands left."""
    figures = ''.join(
        f'<figure><img src="{mistake.data_uri()}" alt=""><figcaption>{escape(mistake.caption)}</figcaption></figure>'
        for mistake in single_run.mistakes(run)
    )
    drawn = ''.join(
        f'<h3>{escape(path.stem.replace("_", " "))}</h3><img class="drawn" src="{_data_uri(path)}" alt="">'
        for path in single_run.drawings(run)
    )
    title = '<h3>Most confident mistakes on the test data</h3>'
    return (f'{title}<div class="mistakes">{figures}</div>' if figures else '') + drawn


def _data_uri(path: Path) -> str:
    """A drawing as the source of an image, in which no script runs."""
    return 'data:image/svg+xml;base64,' + base64.b64encode(path.read_bytes()).decode()
