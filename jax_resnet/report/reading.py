"""Makes the sections of a report from run folders and studies. Damaged runs and studies are left out."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

from jax_resnet.errors import ConfigError
from jax_resnet.report import wording
from jax_resnet.report.sections import Row, Section
from jax_resnet.report.table import one_line
from jax_resnet.runs import run as run_folders
from jax_resnet.runs import schemas
from jax_resnet.runs.run import FINISHED, Run

S = TypeVar('S')
T = TypeVar('T')

RUNS = 'runs'
"""Name of the section of runs without a study."""


def read(paths: Sequence[str | Path]) -> list[Section]:
    """Makes the sections of a report on the run folders and studies in these folders and their subfolders.

    A damaged run or study is left out. A note in its section, or in the last one, says so.

    Raises:
        ConfigError: a path does not exist or has no runs and studies; or all of them are damaged.
    """
    studies, folders = run_folders.find(paths)
    left_out: list[str] = []
    sections: list[Section] = []
    for section in _undamaged(_of_study, studies, left_out):
        sections.append(replace(section, name=_unused(section.name, {RUNS, *(other.name for other in sections)})))
    taken = {run.folder.resolve() for section in sections for row in section.rows for run in row.runs}
    without_study = [folder for folder in folders if folder.resolve() not in taken]
    runs = [*_undamaged(run_folders.read, without_study, left_out)]
    if runs:
        sections.append(_of_runs(runs))
    if not sections:
        raise ConfigError(left_out[0].removeprefix('Left out: '))
    *others, last = sections
    return [*others, replace(last, notes=[*last.notes, *left_out])]


def _unused(name: str, used: Collection[str]) -> str:
    """Returns the name, or the first of name-2, name-3 and so on that is not used."""
    names = (f'{name}-{i}' if i > 1 else name for i in count(1))
    return next(name for name in names if name not in used)


def _undamaged(read_one: Callable[[S], T], places: Iterable[S], left_out: list[str]) -> Iterable[T]:
    """Yields what is read at each place. For each place that is damaged, it adds a line to `left_out`."""
    for place in places:
        try:
            yield read_one(place)
        except ConfigError as e:
            left_out.append(f'Left out: {one_line(str(e))}')


def _of_study(path: Path) -> Section:
    left_out: list[str] = []

    def row(described: Mapping[str, Any]) -> Row:
        runs = [*_undamaged(partial(_of_study_row, path.parent), described['runs'], left_out)]
        label = wording.label(described['label'], changes)
        window = None if described['window'] is None else tuple(described['window'])
        if changes:  # the published numbers belong to the unchanged recipe
            return Row(label, described['group'], runs, window=window, measure=study['measure'])
        published, text = described['published'], described['published_text']
        return Row(label, described['group'], runs, published, text, window, study['measure'])

    try:
        study = schemas.read(path, schemas.Study)
        changes = study['changes']
        rows = [row(described) for described in study['rows']]
        return Section(
            name=study['study'],
            question=study['question'],
            about=study['about'],
            source=study['source'],
            rows=rows,
            changes=changes,
            is_rehearsal=study['is_rehearsal'],
            notes=[*study['notes'], *left_out],
        )
    except (ValueError, KeyError, TypeError, AttributeError) as e:
        if isinstance(e, ConfigError):
            raise
        raise ConfigError(f'{path}: must be the description of a study ({type(e).__name__}: {e})') from None


def _of_study_row(folder: Path, described: Mapping[str, Any]) -> Run:
    """Reads a run of a study: from its folder if finished there, else from its result if there is one."""
    run = run_folders.read(_join(folder, described['folder']), described['seed'])
    result = described.get('result')
    return run if run.state == FINISHED or not result else run_folders.read(_join(folder, result))


def _of_runs(runs: Sequence[Run]) -> Section:
    """Makes the section of runs without a study. Runs that differ only in the seed share a row."""
    by_recipe: dict[str, list[Run]] = {}
    for run in sorted(runs, key=lambda run: run.seed):
        by_recipe.setdefault(repr(sorted(run.recipe.items(), key=str)), []).append(run)
    rows: list[Row] = []
    for same in by_recipe.values():
        label = _label(same[0], [other[0] for other in by_recipe.values()])
        used = sum(row.label.partition(' (')[0] == label for row in rows)
        data = same[0].recipe.get('dataset.name')
        rows.append(Row(f'{label} ({used + 1})' if used else label, f'on {data}', same))
    return Section(RUNS, 'Runs', '', '', rows, {}, False, ())


def _label(run: Run, others: Sequence[Run]) -> str:
    """Names a run without a study: its config, and the fields changed in it.

    If it has no config file, the fields in which it differs from other runs of that name.
    """
    changes = run.changes
    if run.file is None:
        alike = [other for other in others if other.name == run.name]
        changes = {
            field: value
            for field, value in run.recipe.items()
            if any(other.recipe.get(field) != value for other in alike)
        }
    return wording.label(run.name, changes)


def _join(folder: Path, relative: str) -> Path:
    """Returns `folder/relative` with each '..' resolved. The folder itself may be a relative path."""
    parts = list(folder.parts)
    for part in Path(relative).parts:
        if part == '..' and parts and parts[-1] != '..':
            parts.pop()
        else:
            parts.append(part)
    return Path(*parts)
