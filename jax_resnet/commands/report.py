"""Reports on runs and studies: prints tables. --out also writes a page, Markdown, CSV and pictures."""

import argparse

from jax_resnet import files
from jax_resnet.commands import command_line
from jax_resnet.errors import ConfigError
from jax_resnet.report import columns, page, sections


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('folders', nargs='+', help='run folders, folders of studies, or folders that contain them')
    parser.add_argument('--out', metavar='FILE', help='path of the page, such as report.html')
    parser.add_argument(
        '--notes',
        metavar='FILE.md',
        help='your own text in Markdown, for the page; with several studies, a heading names the study of a text',
    )
    command_line.add_json(parser)


def run(options: argparse.Namespace) -> None:
    """Prints the tables, and writes the page."""
    if options.notes and not options.out:
        raise ConfigError(f'--notes={options.notes}: must be given with --out, the page that shows them')
    found = sections.read(options.folders)
    if options.json:
        command_line.print_json(columns.numbers(found))
    else:
        for section in found:
            print(page.plain(section) + '\n')
    if options.out:
        written = page.write(found, files.local(options.out), files.local(options.notes) if options.notes else None)
        if not options.json:
            print('written: ' + ', '.join(map(str, written)))
