"""Reports on runs and studies: `python -m jax_resnet.report runs/studies/depth --out=runs/report.html`."""

from jax_resnet import signals

if __name__ == '__main__':
    signals.end_at_once()

import argparse
import sys
from pathlib import Path

from jax_resnet import command_line
from jax_resnet.errors import ConfigError
from jax_resnet.report import page, sections


def main() -> int:
    """Runs the command line and returns its exit code."""
    parser = argparse.ArgumentParser(
        prog='python -m jax_resnet.report',
        description='Prints tables of studies and runs. --out also writes a page, Markdown, CSV and pictures.',
    )
    parser.add_argument('folders', nargs='+', help='run folders, folders of studies, or folders that contain them')
    parser.add_argument('--out', type=Path, help='path of the page, such as report.html')
    parser.add_argument(
        '--notes',
        type=Path,
        metavar='FILE.md',
        help='your own text in Markdown, for the page; with several studies, a heading names the study of a text',
    )
    options = parser.parse_args()
    return command_line.run(lambda: _report(options))


def _report(options: argparse.Namespace) -> None:
    if options.notes and not options.out:
        raise ConfigError(f'--notes={options.notes}: must be given with --out, the page that shows them')
    found = sections.read(options.folders)
    for section in found:
        print(page.text(section) + '\n')
    if options.out:
        print('written: ' + ', '.join(map(str, page.write(found, options.out, options.notes))))


if __name__ == '__main__':
    sys.exit(main())
