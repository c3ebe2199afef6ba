"""The run folder: everything that a run writes, and what it needs to continue."""

import contextlib
import glob
import itertools
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import ArrayLike

from jax_resnet import files
from jax_resnet.config.fields import Config
from jax_resnet.config.identity import differences
from jax_resnet.errors import ConfigError, DataError
from jax_resnet.files import shown
from jax_resnet.runs import arrays, lock, outputs, schemas
from jax_resnet.runs.outputs import Preprocessing
from jax_resnet.runs.parsing import parse

TOKEN = 'token.txt'
"""A file that exists for a moment, while the processes of a run check that they see the same folder."""

REPLACED = '.replaced'
"""This and a number are added to the name of a run folder when another run replaces it."""


class RunFolder:
    """The files of a run. No symbolic link in the folder is followed.

    Each file is written under another name first, so it is complete or absent. Only metrics.jsonl grows line by line.

    Args:
        path: the path of the folder.
        writes: whether this process writes files. If several processes train one run, only the first one writes.
    """

    def __init__(self, path: str | Path, writes: bool = True) -> None:
        self.path, self.writes = Path(path), writes

    def open(self, config: Config, file: str | None = None, changes: Mapping[str, Any] | None = None) -> None:
        """Makes the folder, or checks that the run in it has the same config.

        Args:
            config: the config.
            file: the config file with its argument, if there is one.
            changes: the fields that were changed in that config, by dotted name.

        Raises:
            ConfigError: the folder holds a run of another config (the message shows the difference), cannot be made, or
                has a path that the checkpoint library cannot handle.
        """
        whole = str(self.path.absolute())
        if glob.has_magic(whole) or '\\' in whole:  # orbax finds the files of a checkpoint by a glob pattern
            raise ConfigError(f'{shown(whole)}: the path of a run must have none of * ? [ ] \\')
        if not whole.isprintable():  # tensorstore takes only UTF-8
            raise ConfigError(f'{shown(whole)}: the path of a run must have only printable characters')
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as e:
            raise ConfigError(
                f'{self.path}: must be a folder, or a path where one can be made ({e.strerror})'
            ) from None
        for name in ('checkpoints', 'tensorboard', 'profile'):
            files.subfolder(self.path, name)
        if not self._has('config.json'):
            self._write_json('config.json', {'file': file, 'changes': changes or {}, 'fields': config})
        self.check_same(config)

    def write_token(self, token: int) -> None:
        """Writes a number to the folder. Other processes see it if they have the same folder."""
        self.write_text(TOKEN, f'{token}\n')

    def has_token(self, token: int) -> bool:
        """Whether `write_token` wrote this number to this folder."""
        with contextlib.suppress(OSError):
            return files.read(self.path / TOKEN) == f'{token}\n'.encode()
        return False

    def remove_token(self) -> None:
        """Removes the file that `write_token` wrote."""
        if self.writes:
            (self.path / TOKEN).unlink(missing_ok=True)

    def exists(self) -> bool:
        """Whether the folder holds a run."""
        return self._has('config.json')

    def check_same(self, config: Config) -> None:
        """Raises ConfigError if the folder holds a run of another config. The message shows the difference."""
        found = '; '.join(differences(self.config(), config))
        if found:
            raise ConfigError(f'{self.path}: has a run of another config ({found}); give another folder by --workdir')

    @contextlib.contextmanager
    def os_errors_as_data_errors(self) -> Iterator[None]:
        """Raises an OSError in this context, such as that of a full disk, as a DataError."""
        try:
            yield
        except BrokenPipeError:
            raise  # standard output is closed; the folder is not the reason
        except OSError as e:
            raise DataError(
                f'{self.path}: cannot be written ({e.strerror}); the same command continues from the last saved state'
            ) from e

    def locked(self) -> contextlib.AbstractContextManager[None]:
        """Holds the lock of the folder within this context. Raises ConfigError if another program trains in it."""
        return lock.held(self.path) if self.writes else contextlib.nullcontext()

    @property
    def checkpoints(self) -> Path:
        """The folder of checkpoints. Raises ConfigError if it is a link."""
        return files.subfolder(self.path, 'checkpoints')

    def config(self) -> Config:
        """Returns the config of the run. Raises ConfigError like `origin`."""
        config: Config = self.origin()['fields']
        return config

    def origin(self) -> dict[str, Any]:
        """Returns where the run comes from: the config file, the changes and all fields, see `schemas.RunConfig`.

        Raises:
            ConfigError: there is no config.json, so that this is no run folder; or it is damaged.
        """
        if not self._has('config.json'):
            reason = 'it has no config.json' if self.path.is_dir() else 'there is no such folder'
            raise ConfigError(f'{shown(self.path)}: must be a run folder; {reason}')
        origin: dict[str, Any] = self._read_json('config.json', schemas.RunConfig)
        return origin

    def write_preprocessing(self, preprocessing: Preprocessing) -> None:
        """Writes preprocessing.npz, which a user of the network needs to prepare its input and to read its output."""
        self.write_arrays('preprocessing.npz', **preprocessing._asdict())

    def preprocessing(self) -> Preprocessing:
        """Reads preprocessing.npz. Raises ConfigError if it is missing or damaged."""
        return outputs.preprocessing(self.path)

    def write_predictions(self, logits: np.ndarray, labels: np.ndarray) -> None:
        """Writes the predictions for the test split: logits, float [n, classes], and labels, int [n]."""
        self.write_arrays('predictions.npz', **outputs.predictions_of(logits, labels))

    def record_start(self, step: int, environment: Mapping[str, Any]) -> None:
        """Adds this start's versions, devices and git commit to environment.json."""
        if self.writes:
            self._write_json('environment.json', [*self.starts(), {'step': step, **environment}])

    def starts(self) -> list[dict[str, Any]]:
        """Returns what `record_start` wrote, one mapping for each start."""
        kind = list[schemas.Start]
        starts: list[dict[str, Any]] = (
            self._read_json('environment.json', kind) if self._has('environment.json') else []
        )
        return starts

    def metrics(self) -> list[dict[str, Any]]:
        """Returns the lines of metrics.jsonl, without a last line that a kill cut short.

        Raises:
            ConfigError: the file is damaged, or its steps do not increase.
        """
        if not self._has('metrics.jsonl'):
            return []
        path = self.path / 'metrics.jsonl'
        lines = self._read('metrics.jsonl').splitlines(keepends=True)
        parsed = [
            parse(line, schemas.Line, shown(path), f'line {number}: ')
            for number, line in enumerate(lines, start=1)
            if line.endswith(b'\n')
        ]
        steps = [line['step'] for line in parsed]
        if steps != sorted(set(steps)):
            raise ConfigError(f'{shown(path)} is damaged: its steps do not increase')
        return parsed

    def add_metrics(self, line: Mapping[str, Any]) -> None:
        """Appends a line to metrics.jsonl. The line is on disk when this returns."""
        if self.writes:
            files.append(self.path / 'metrics.jsonl', (json.dumps(line, allow_nan=False) + '\n').encode())

    def last_step(self) -> int:
        """Returns the step of the last line of metrics.jsonl; 0 if there is no line."""
        lines = self.metrics()
        return int(lines[-1]['step']) if lines else 0

    def cut_metrics(self, step: int) -> None:
        """Removes the lines after `step` from metrics.jsonl, because the run will write them again."""
        if self.writes:
            kept = [json.dumps(line) + '\n' for line in self.metrics() if line['step'] <= step]
            self._write('metrics.jsonl', ''.join(kept).encode())

    def summary(self) -> dict[str, Any] | None:
        """Returns the summary of a finished run, else None."""
        return self._read_json('summary.json', schemas.Summary) if self._has('summary.json') else None

    def write_summary(self, summary: Mapping[str, Any]) -> None:
        """Writes summary.json, which marks the run as finished."""
        self._write_json('summary.json', summary)

    def failure(self) -> str | None:
        """Returns why the last start of the run by a study failed, or None."""
        return (
            ' '.join(self._read('failure.txt').decode(errors='replace').split()) if self._has('failure.txt') else None
        )

    def write_failure(self, reason: str | None) -> None:
        """Writes why the run failed. None removes an earlier reason."""
        if reason is not None:
            self.write_text('failure.txt', reason + '\n')
        elif self.writes:
            (self.path / 'failure.txt').unlink(missing_ok=True)

    def is_rehearsal(self) -> bool:
        """Whether the run is the rehearsal of a study."""
        return self._has('rehearsal.txt')

    def mark_as_rehearsal(self) -> None:
        """Marks the run as a rehearsal, which reports show."""
        self.write_text('rehearsal.txt', 'This run is a rehearsal. Its numbers say nothing about the experiment.\n')

    def write_arrays(self, name: str, **named: ArrayLike) -> None:
        """Writes a compressed .npz file."""
        if self.writes:
            self._write(name, arrays.as_npz(named))

    def set_aside(self) -> Path:
        """Renames the folder, such as to `seed0.replaced1`, and returns the new path. It no longer counts as a run."""
        others = (self.path.with_name(f'{self.path.name}{REPLACED}{number}') for number in itertools.count(1))
        aside = next(path for path in others if not path.exists() and not path.is_symlink())
        self.path.rename(aside)
        return aside

    def write_text(self, name: str, text: str) -> None:
        """Writes a text file."""
        self._write(name, text.encode())

    def _has(self, name: str) -> bool:
        path = self.path / name
        return path.exists() or path.is_symlink()  # a broken link raises its error when it is read

    def _read(self, name: str) -> bytes:
        try:
            return files.read(self.path / name)
        except OSError as e:
            raise ConfigError(f'{shown(self.path / name)} cannot be read ({e.strerror})') from None

    def _read_json(self, name: str, kind: Any) -> Any:
        return parse(self._read(name), kind, shown(self.path / name))

    def _write_json(self, name: str, value: Any) -> None:
        self._write(name, (json.dumps(value, indent=2, allow_nan=False, default=msgspec.to_builtins) + '\n').encode())

    def _write(self, name: str, content: bytes) -> None:
        if self.writes:
            files.write(self.path / name, content)
