"""The table of a section. Each column is described once: for the page, the terminal, Markdown, CSV and the README."""

import csv
import io
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from statistics import median
from typing import Any

from tabulate import tabulate

from jax_resnet.errors import printable
from jax_resnet.report import wording
from jax_resnet.report.sections import PROTOCOLS, Row, Section, varied
from jax_resnet.runs.run import FINISHED, Run

NONE = '–'  # noqa: RUF001

FURTHER = {
    'final_test_top5_error': 'top-5 error',
    'protocol_test_error': '{} test error',
    'protocol_test_top5_error': '{} top-5 error',
}
"""Errors that only some runs have, by their field in the summary. `{}` is the protocol of the last test."""


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        head: its heading.
        value: returns the value for a row, a number if there is one: for CSV.
        format: returns such a value as a string.
    """

    head: str
    value: Callable[[Row], Any]
    format: Callable[[Any], str] = str

    def cell(self, row: Row) -> str:
        value = self.value(row)
        return NONE if value is None or value == '' else self.format(value)


def columns(section: Section) -> list[Column]:
    """Returns the columns of a section's table. The first one has the errors that the section compares, in %."""
    result = [Column(section.measure_name, section.measured)]
    if any(row.published is not None or row.published_text for row in section.rows):
        result.append(Column('published', lambda row: row.published_text or row.published, _two))
        result.append(Column('difference', section.difference, '{:+.2f}'.format))
    result += [
        Column('runs', lambda row: f'{len(row.finished)} of {len(row.runs)}'),
        Column('seeds', lambda row: ', '.join(map(seed, row.runs))),
    ]
    if section.measure != 'final':
        result.append(Column('final test error', mean('final_test_error'), _two))
    if section.measure != 'median' and any(len(row.finished) > 2 for row in section.rows):
        result.append(Column('median', _median('final_test_error'), _two))
    result += further(section)
    return [
        *result,
        Column('best test error', mean('best_test_error'), _two),
        Column('training error', mean('final_train_error'), _two),
        Column('parameters', mean('parameters'), '{:,.0f}'.format),
        Column('multiply-adds', mean('multiply_adds'), lambda value: f'{value / 1e6:,.1f} M'),
        Column('time', _median('seconds'), lambda value: str(timedelta(seconds=round(value)))),
        Column('device', lambda row: ', '.join(dict.fromkeys(run.summary['device'] for run in row.finished))),
    ]


def mean(field: str) -> Callable[[Row], float | None]:
    return lambda row: row.mean(field)


def _median(field: str) -> Callable[[Row], float | None]:
    return lambda row: median(row.values(field)) if row.finished else None


def further(section: Section) -> list[Column]:
    """Returns a column for each error of FURTHER that some row has and that is not the one to compare."""
    protocol = ' or '.join(sorted({PROTOCOLS[row.protocol] for row in section.rows if row.protocol}))
    return [
        Column(head, mean(field), _two)
        for field, template in FURTHER.items()
        if (head := template.format(protocol)) != section.measure_name
        and any(row.values(field) for row in section.rows)
    ]


@dataclass(frozen=True)
class Table:
    """The table of a section, folded: columns that are equal in all rows are lines in `same` instead.

    Attributes:
        heads: the headings. The first column has the labels of the rows.
        rows: each row with its cells.
        same: what all rows share.
    """

    heads: Sequence[str]
    rows: Sequence[tuple[Row, Sequence[str]]]
    same: str

    def plain(self) -> str:
        """Returns the table for a terminal. A line with the name of a group is above its rows."""
        lines = _aligned('plain', self.heads, [[printable(cell) for cell in cells] for _, cells in self.rows])
        return '\n'.join([lines[0], *self._grouped(lines[1:], printable)])

    def markdown(self, best: Sequence[Row] = (), link: Callable[[Path], str] | None = None) -> str:
        """Returns the table as Markdown. The rows in `best` are bold; `link` gives the address of a run's folder."""

        def cell(row: Row, head: str, value: str) -> str:
            if head == 'seeds' and link is not None:
                return ', '.join(f'[{escaped(seed(run))}]({link(run.folder)})' for run in row.runs)
            is_bold = row in best and head in self.heads[:2]
            return f'**{escaped(value)}**' if is_bold else escaped(value)

        rows = [[cell(row, *pair) for pair in zip(self.heads, cells, strict=True)] for row, cells in self.rows]
        lines = _aligned('pipe', [*map(escaped, self.heads)], rows)
        return '\n'.join([*lines[:2], *self._grouped(lines[2:], lambda name: f'| **{escaped(name)}** |')])

    def _grouped(self, lines: Sequence[str], heading: Callable[[str], str]) -> list[str]:
        """Puts a heading above the lines of each group, if there are several groups."""
        groups = [row.group for row, _ in self.rows]
        are_several = len({*groups}) > 1
        found: list[str] = []
        for i, line in enumerate(lines):
            is_new = are_several and groups[i] not in groups[:i]
            found += [heading(groups[i]), line] if is_new else [line]
        return found


def table(section: Section, heads: Collection[str] | None = None) -> Table:
    """Makes the table of a section; or with `heads`, these columns of the rows that have a finished run."""
    rows = [row for group in section.groups.values() for row in group if heads is None or row.finished]
    every = [column for column in columns(section) if heads is None or column.head in heads]
    kept = (every[0].head, 'seeds', *(heads or ()))  # the answer, and the links to the runs
    shown = [c for c in every if c.head in kept or len(rows) == 1 or len({c.cell(row) for row in rows}) > 1]
    same = [f'{c.head} {c.cell(rows[0])}' for c in every if c not in shown and c.cell(rows[0]) != NONE]
    cells = [(row, [row.label, *(column.cell(row) for column in shown)]) for row in rows]
    return Table(['', *(column.head for column in shown)], cells, ', '.join(same))


def numbers(sections: Sequence[Section]) -> list[dict[str, Any]]:
    """Returns all rows of all sections for other programs, with unrounded numbers."""
    return [
        {
            'study': section.name,
            'shared': '; '.join(section.shared),
            'group': row.group,
            'row': row.label,
            'measure': section.measure_name,
            'error': measured and measured.error,
            'standard deviation': measured and measured.std,
            **{column.head: column.value(row) for column in columns(section)[1:]},
            'run folders': '; '.join(str(run.folder) for run in row.runs),
        }
        for section in sections
        for row in section.rows
        for measured in [section.measured(row)]
    ]


def as_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """Formats rows as CSV, with a column for each name that a row has."""
    file = io.StringIO()
    writer = csv.DictWriter(file, [*dict.fromkeys(head for row in rows for head in row)], lineterminator='\n')
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()


def varied_table(section: Section) -> Table:
    """Makes the table of the config fields that differ between the rows."""
    differing = varied(section.rows)
    values = zip(*(map(wording.value_name, column) for column in differing.values()), strict=True)
    cells = [(row, [row.label, *of_row]) for row, of_row in zip(section.rows, values, strict=False)]
    return Table(['', *map(wording.field_name, differing)], cells, '')


def explain(section: Section) -> list[str]:
    """Returns notes on the table: what its numbers mean."""
    notes = [
        'Errors are in %: means over runs at the end of training, ± standard deviation over the seeds. Best test '
        'error: the smallest of a run; it is chosen on the test data, so it is not a result. Training error: over the '
        'augmented batches since the evaluation before the last one. Time: median of the runs.'
    ]
    if any(row.published is not None or row.published_text for row in section.rows):
        notes.append(f'Published: {section.source}. Difference: our error minus the published one, in points.')
    return notes


def warnings(section: Section) -> list[str]:
    """Returns what a reader must know beside the numbers: what is changed, not finished or left out."""
    notes = []
    if section.is_rehearsal:
        notes.append(
            'This is a rehearsal on the digits, with a shortened recipe. Its numbers say nothing about CIFAR, and are '
            'not compared with the published ones.'
        )
    if section.changes:
        changed = ', '.join(wording.phrase(*change) for change in section.changes.items())
        notes.append(
            f'Changed in every run: {changed}. Published numbers belong to the unchanged recipe, and are not shown.'
        )
    unfinished = [f'{row.label}, seed {run.seed}: {run}' for row, run in section.runs if run.state != FINISHED]
    return [*notes, *unfinished, *section.notes]


def seed(run: Run) -> str:
    return f'{run.seed}' + ('' if run.state == FINISHED else f' ({run.state})')


def _two(value: float | str) -> str:
    return value if isinstance(value, str) else f'{value:.2f}'


def escaped(string: str) -> str:
    """Escapes a string so that Markdown shows it unchanged: no HTML, no link, no new cell of a table, no new line."""
    string = re.sub(r'([\\|\[\]`*]|^#|^[-+](?=\s))', r'\\\1', printable(string))
    return string.replace('&', '&amp;').replace('<', '&lt;').replace('>', '&gt;')


def _aligned(tablefmt: str, heads: Sequence[str], cells: Sequence[Sequence[str]]) -> list[str]:
    sides = ['left', *['right'] * (len(heads) - 1)]
    table: str = tabulate(cells, headers=heads, tablefmt=tablefmt, colalign=sides, disable_numparse=True)
    return [line.rstrip() for line in table.splitlines()]
