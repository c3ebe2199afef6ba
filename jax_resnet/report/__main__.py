"""Reports on runs and studies: `python -m jax_resnet.report runs/studies/depth --out=runs/report.html`."""

from jax_resnet import signals

if __name__ == '__main__':
    signals.end_at_once()

import argparse
import sys
from pathlib import Path

from jax_resnet.commands import command_line
from jax_resnet.report import reading, terminal


def main() -> int:
    """Runs the command line and returns its exit code."""
    parser = argparse.ArgumentParser(
        prog='python -m jax_resnet.report',
        description='Prints tables of studies and runs. --out also writes a page, Markdown, CSV and pictures.',
    )
    parser.add_argument('folders', nargs='+', help='run folders, folders of studies, or folders that contain them')
    parser.add_argument('--out', help='path of the page, such as report.html')
    options = parser.parse_args()
    return command_line.run(lambda: _report(options))


def _report(options: argparse.Namespace) -> None:
    sections = reading.read(options.folders)
    for section in sections:
        print(terminal.text(section) + '\n')
    if options.out:
        from jax_resnet.report import files

        print('written: ' + ', '.join(map(str, files.write(sections, Path(options.out)))))


if __name__ == '__main__':
    sys.exit(main())
