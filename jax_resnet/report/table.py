"""A table: heads and cells once, written for a terminal, as Markdown and as CSV."""

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass

from tabulate import tabulate


@dataclass(frozen=True)
class Links:
    """A cell that leads somewhere: its text, and a name and an address for each link."""

    text: str
    links: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        return self.text


Cell = str | Links | int | float | None


@dataclass(frozen=True)
class Table:
    """A table, whose first column says what a row is of: it stands left, and the others right."""

    heads: Sequence[str]
    rows: Sequence[Sequence[Cell]]

    def text(self) -> str:
        """For a terminal."""
        return self._tabulated('plain', [[one_line(str(cell)) for cell in row] for row in self.rows], self.heads)

    def markdown(self) -> str:
        heads = [escaped(head) for head in self.heads]
        return self._tabulated('pipe', [[_markdown(cell) for cell in row] for row in self.rows], heads)

    def csv(self) -> str:
        """Numbers as they are. A text that a spreadsheet would take for a formula gets an apostrophe before it."""
        file = io.StringIO()
        writer = csv.writer(file, lineterminator='\n')
        writer.writerow(self.heads)
        writer.writerows([_no_formula(cell) for cell in row] for row in self.rows)
        return file.getvalue()

    def _tabulated(self, form: str, cells: Sequence[Sequence[str]], heads: Sequence[str]) -> str:
        sides = ['left', *['right'] * (len(heads) - 1)]
        table: str = tabulate(cells, headers=heads, tablefmt=form, colalign=sides, disable_numparse=True)
        return '\n'.join(line.rstrip() for line in table.splitlines())


def one_line(text: str) -> str:
    """A text whose line breaks and control characters are written as Python's escapes."""
    return ''.join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def escaped(text: str) -> str:
    """A text that Markdown shows as it is: no HTML, no link, no new cell of a table, no new line."""
    text = re.sub(r'([\\|\[\]`*]|^#|^[-+](?=\s))', r'\\\1', one_line(text))
    return text.replace('&', '&amp;').replace('<', '&lt;').replace('>', '&gt;')


def _markdown(cell: Cell) -> str:
    if isinstance(cell, Links):
        links = ', '.join(f'[{escaped(name)}]({address})' for name, address in cell.links)
        return f'{escaped(cell.text)}: {links}'
    return escaped(str(cell))


def _no_formula(cell: Cell) -> Cell:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(('=', '+', '-', '@', '\t', '\r')) else cell
