"""Reports on runs and studies: prints tables. --out also writes a page, Markdown, CSV and pictures."""

import argparse
from pathlib import Path

from jax_resnet.commands import command_line


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options."""
    parser.add_argument('folders', nargs='+', help='run folders, folders of studies, or folders that contain them')
    parser.add_argument('--out', metavar='FILE', help='path of the page, such as report.html')
    command_line.add_json(parser)


def run(options: argparse.Namespace) -> None:
    """Prints the tables, and writes the page."""
    from jax_resnet.report import columns, reading, terminal

    sections = reading.read(options.folders)
    if options.json:
        table = columns.numbers(sections)
        command_line.print_json([dict(zip(table.heads, row, strict=True)) for row in table.rows])
    else:
        for section in sections:
            print(terminal.text(section) + '\n')
    if options.out:
        from jax_resnet.report import files

        written = files.write(sections, Path(options.out))
        if not options.json:
            print('written: ' + ', '.join(map(str, written)))
