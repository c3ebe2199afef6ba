"""The charts of a report, by name. They are made once, for the page and for Markdown."""

from collections.abc import Sequence
from typing import Any

from jax_resnet.report import curves, predictions
from jax_resnet.report.sections import Row, Section

Charts = dict[str, Any]


def of_group(group: str, rows: Sequence[Row]) -> Charts:
    """Draws errors, losses and learning rates of rows, and top-5 errors if any. Empty before an evaluation."""
    if not any(run.metrics for row in rows for run in row.runs):
        return {}
    where = f', {group}' if group else ''
    has_top5 = any('test_top5_error' in line for row in rows for run in row.runs for line in run.metrics)
    return {
        'errors': curves.errors(rows, f'Error{where}'),
        **({'top5_errors': curves.top5_errors(rows, f'Top-5 error{where}')} if has_top5 else {}),
        'losses': curves.losses(rows, f'Loss{where}'),
        'learning_rates': curves.learning_rates(rows, f'Learning rate{where}'),
    }


def of_section(section: Section) -> dict[str, Charts]:
    """Returns the charts of a section by title: those of each group, and those of the whole section."""
    by_title = {group: of_group(group, rows) for group, rows in section.groups.items()}
    by_data: dict[str, list[Row]] = {}
    for row in section.rows:
        if row.finished:
            by_data.setdefault(str(row.config.get('dataset.name', '')), []).append(row)
    for data, rows in by_data.items():
        if len({row.mean('parameters') for row in rows}) > 2:
            is_alone = len(by_data) == 1
            chart = curves.against_parameters(rows, '' if is_alone else data)
            by_title['size' if is_alone else f'size {data}'] = {'parameters': chart}
    run = section.only_run
    if run is not None:
        by_title['answers'] = predictions.charts(run, predictions.read_if_undamaged(run))
    return {title: charts for title, charts in by_title.items() if charts}
