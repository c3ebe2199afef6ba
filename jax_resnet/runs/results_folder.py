"""The results folder: the small files of finished runs, from which tables are made."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from jax_resnet import files
from jax_resnet.config.identity import default_name
from jax_resnet.config.loading import change
from jax_resnet.errors import ConfigError
from jax_resnet.runs import outputs, run, schemas
from jax_resnet.runs.run import Run

RESULTS = Path('results')
"""The folder of results, in the repository; run folders are in `runs`."""

LOGITS = 'logits.npz'
"""The file of a result with its predictions."""


def result_path(run: Run) -> Path:
    """Returns the path for a run's result: `results/<config name>[-<argument>][/<changes>]/seed<seed>`."""
    return RESULTS / default_name(str(run.file), run.changes, run.seed).relative_to('runs')


def finished(folder: str | Path) -> Run:
    """Reads a run that can be a result. Its config does not say where a known data set lies on this machine.

    Raises:
        ConfigError: the run is not finished, or is not a run of a config file.
    """
    found = run.read(files.local(folder))
    if found.config is None or found.state != run.FINISHED:
        raise ConfigError(f'{folder}: must be the folder of a finished run; it is {found}')
    if found.file is None:
        raise ConfigError(f'{folder}: must be a run of a config file; its config.json names none')
    return replace(found, config=change(found.config, {'dataset.data_dir': None, 'dataset.manual_dir': None}))


def add(run: Run) -> Path:
    """Copies the small files of a finished run to the results folder. Adding the same run again changes nothing.

    A result is a run folder without arrays; but logits.npz has the run's logits on the test split, float16, and the
    labels, if the run has logits. For ten classes and 10,000 examples, it has 190 kB.

    Args:
        run: a run as `finished` reads it.

    Returns:
        The folder of the result.

    Raises:
        ConfigError: the folder has the result of another run of this config and seed.
    """
    assert run.config is not None
    folder, copied = result_path(run), ('environment.json', 'metrics.jsonl', 'summary.json')
    contents = {folder / name: (run.folder / name).read_bytes() for name in copied}
    contents[folder / 'config.json'] = schemas.as_json({'file': run.file, 'changes': run.changes, 'fields': run.config})
    predictions = run.folder / 'predictions.npz'
    if predictions.is_file() and run.config.model.num_classes <= outputs.MOST_LOGITS:
        logits, labels = outputs.read(predictions, 'logits', 'labels')
        contents[folder / LOGITS] = outputs.npz({'logits': logits.astype(np.float16), 'labels': labels})
    if any(path.exists() and path.read_bytes() != content for path, content in contents.items()):
        raise ConfigError(f'{folder}: has the result of another run of this config and seed; delete it first')
    folder.mkdir(parents=True, exist_ok=True)
    files.write(contents)
    return folder


def paths() -> list[Path]:
    """Returns the folders of all results, sorted. An unfinished run in the folder is none yet."""
    return sorted(path.parent for path in RESULTS.glob('**/summary.json'))
