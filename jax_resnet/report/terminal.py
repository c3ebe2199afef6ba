"""Writes a section for a terminal: its question, the answers, its table, and the curve of a single run."""

from math import ceil

from jax_resnet.report import columns
from jax_resnet.report.answer import answers
from jax_resnet.report.sections import Section
from jax_resnet.report.table import one_line
from jax_resnet.runs.run import Run

HEIGHT, WIDTH = 12, 64


def text(section: Section) -> str:
    """Returns the section as blocks of lines, with an empty line between them."""
    title = f'{section.question} (rehearsal)' if section.is_rehearsal else section.question
    blocks = [
        '\n'.join(map(one_line, [title, *answers(section)])),
        columns.table(section).text(),
        '\n'.join(map(one_line, [*columns.states(section), *columns.explain(section)])),
    ]
    if section.only_run is not None:
        blocks.append(curve(section.only_run))
    return '\n\n'.join(blocks)


def curve(run: Run) -> str:
    """Draws the errors of a run, in %, with characters: `o` test, `.` training."""
    lines = run.metrics
    if not lines:
        return 'no evaluation yet'
    top = max(10, ceil(max(max(line['test_error'], line['train_error'] or 0) for line in lines) / 10) * 10)
    grid = [[' '] * WIDTH for _ in range(HEIGHT)]
    last = lines[-1]['epoch'] or 1
    for name, mark in (('train_error', '.'), ('test_error', 'o')):
        for line in lines:
            if line[name] is None:
                continue
            x = min(WIDTH - 1, int(line['epoch'] / last * (WIDTH - 1)))
            y = HEIGHT - 1 - round(line[name] / top * (HEIGHT - 1))
            grid[y][x] = mark
    scale = {0: f'{top} %', HEIGHT - 1: '0 %'}
    rows = [f'{scale.get(y, ""):>6} |{"".join(row).rstrip()}' for y, row in enumerate(grid)]
    axis = f'{"":7}+{"-" * WIDTH}\n{"":8}0{f"epoch {last:.1f}":>{WIDTH - 1}}'
    return '\n'.join([*rows, axis, f'{"":8}error: o test, . training'])
