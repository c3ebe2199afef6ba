"""A table of headings and cells, which can be written for a terminal, as Markdown and as CSV."""

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass

from tabulate import tabulate


@dataclass(frozen=True)
class Links:
    """A cell with links: its text, and a name and an address for each link."""

    text: str
    links: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        return self.text


Cell = str | Links | int | float | None


@dataclass(frozen=True)
class Table:
    """A table. The first column names the rows and is aligned left; the others are aligned right."""

    heads: Sequence[str]
    rows: Sequence[Sequence[Cell]]

    def text(self) -> str:
        """Returns the table for a terminal."""
        return self._tabulated('plain', [[one_line(str(cell)) for cell in row] for row in self.rows], self.heads)

    def markdown(self) -> str:
        heads = [escaped(head) for head in self.heads]
        return self._tabulated('pipe', [[_markdown(cell) for cell in row] for row in self.rows], heads)

    def csv(self) -> str:
        """Returns the table as CSV, with unrounded numbers."""
        file = io.StringIO()
        writer = csv.writer(file, lineterminator='\n')
        writer.writerow(self.heads)
        writer.writerows(self.rows)
        return file.getvalue()

    def _tabulated(self, form: str, cells: Sequence[Sequence[str]], heads: Sequence[str]) -> str:
        sides = ['left', *['right'] * (len(heads) - 1)]
        table: str = tabulate(cells, headers=heads, tablefmt=form, colalign=sides, disable_numparse=True)
        return '\n'.join(line.rstrip() for line in table.splitlines())


def one_line(text: str) -> str:
    """Replaces line breaks and control characters of a text by Python's escapes."""
    return ''.join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def escaped(text: str) -> str:
    """Escapes a text so that Markdown shows it unchanged: no HTML, no link, no new cell of a table, no new line."""
    text = re.sub(r'([\\|\[\]`*]|^#|^[-+](?=\s))', r'\\\1', one_line(text))
    return text.replace('&', '&amp;').replace('<', '&lt;').replace('>', '&gt;')


def _markdown(cell: Cell) -> str:
    if isinstance(cell, Links):
        links = ', '.join(f'[{escaped(name)}]({address})' for name, address in cell.links)
        return f'{escaped(cell.text)}: {links}'
    return escaped(str(cell))
