"""A stand-in for a terminal, to which programs print progress bars."""

import io
import re


class Terminal(io.StringIO):
    """Standard output for a program that runs in a terminal."""

    def isatty(self) -> bool:
        return True

    def screen(self) -> list[str]:
        """Returns the lines on the screen. Of the control sequences, only those of tqdm are known."""
        lines, row, column = [''], 0, 0
        for part in re.findall(r'\x1b\[A|\r|\n|[^\x1b\r\n]+', self.getvalue()):
            if part == '\x1b[A':
                row -= 1
            elif part == '\r':
                column = 0
            elif part == '\n':
                row, column = row + 1, 0
                lines += [''] * (row == len(lines))
            else:
                lines[row] = lines[row][:column].ljust(column) + part + lines[row][column + len(part) :]
                column += len(part)
        return [line.rstrip() for line in lines if line.strip()]
