"""The run folder: everything a run leaves behind, and what it needs to go on."""

import contextlib
import glob
import itertools
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from jax_resnet import files
from jax_resnet.config.completion import complete
from jax_resnet.config.identity import differences
from jax_resnet.errors import ConfigError, DataError
from jax_resnet.files import shown
from jax_resnet.runs import arrays, lock, outputs, schemas
from jax_resnet.runs.outputs import Preprocessing
from jax_resnet.runs.parsing import parse

TOKEN = 'token.txt'
"""By which processes see that they share the folder; it is there for a moment."""

REPLACED = '.replaced'
"""What comes after a folder's name when another run takes its place."""


class RunFolder:
    """The files of a run. Each is whole or absent: a write goes to another name first. No link is followed.

    Args:
        path: of the folder.
        writes: whether this process writes; of several that train one run, the first does.
    """

    def __init__(self, path: str | Path, writes: bool = True) -> None:
        self.path, self.writes = Path(path), writes

    def open(self, config: Mapping[str, Any]) -> None:
        """Makes the folder, or checks that it holds a run of the same config.

        Raises:
            ConfigError: it holds a run of another config (the message shows the difference), is a file, or has a
                name under which checkpoints would not be whole.
        """
        whole = str(self.path.absolute())
        if glob.has_magic(whole) or '\\' in whole:  # orbax looks for a checkpoint's parts by a pattern
            raise ConfigError(f'{shown(whole)}: the path of a run must have none of * ? [ ] \\')
        if not whole.isprintable():  # nor does tensorstore take bytes that are not UTF-8
            raise ConfigError(f'{shown(whole)}: the path of a run must have printable characters alone')
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as e:
            raise ConfigError(f'{self.path}: must be a folder, or a place for one ({e.strerror})') from None
        for name in ('checkpoints', 'tensorboard', 'profile'):
            files.subfolder(self.path, name)
        if not self._has('config.json'):
            self._write_json('config.json', config)
        self.check_same(config)

    def write_token(self, token: int) -> None:
        """Leaves a number, which other processes see where the folder is theirs, too."""
        self.write_text(TOKEN, f'{token}\n')

    def has_token(self, token: int) -> bool:
        """Whether that number is here."""
        with contextlib.suppress(OSError):
            return files.read(self.path / TOKEN) == f'{token}\n'.encode()
        return False

    def remove_token(self) -> None:
        """Ends what `write_token` began."""
        if self.writes:
            (self.path / TOKEN).unlink(missing_ok=True)

    def exists(self) -> bool:
        """Whether there is a run."""
        return self._has('config.json')

    def check_same(self, config: Mapping[str, Any]) -> None:
        """Raises ConfigError, which shows the difference, where the folder holds a run of another config."""
        found = '; '.join(differences(self.config(), config))
        if found:
            raise ConfigError(f'{self.path} holds a run of another config ({found}): --workdir names another folder')

    @contextlib.contextmanager
    def errors_told(self) -> Iterator[None]:
        """Meanwhile an OSError, of a full disk or a folder that cannot be written, is raised as a DataError."""
        try:
            yield
        except BrokenPipeError:
            raise  # of the output
        except OSError as e:
            raise DataError(
                f'{self.path}: cannot be written ({e.strerror}); what is saved stays, and is continued'
            ) from e

    def locked(self) -> contextlib.AbstractContextManager[None]:
        """Keeps other programs out while this one runs. Raises ConfigError where another program runs here."""
        return lock.held(self.path) if self.writes else contextlib.nullcontext()

    @property
    def checkpoints(self) -> Path:
        """The folder of checkpoints. Raises ConfigError where it is a link."""
        return files.subfolder(self.path, 'checkpoints')

    def config(self) -> dict[str, Any]:
        """The config of the run, as nested dicts; fields that it is older than have their defaults.

        Raises:
            ConfigError: there is none here, so that this is no run folder; or it is damaged.
        """
        if not self._has('config.json'):
            what = 'it has no config.json' if self.path.is_dir() else 'there is no such folder'
            raise ConfigError(f'{shown(self.path)}: must be a run folder; {what}')
        return complete(self._read_json('config.json', schemas.Config))

    def write_preprocessing(self, preprocessing: Preprocessing) -> None:
        """Keeps what whoever uses the network must know of its input and output."""
        self.write_arrays('preprocessing.npz', **preprocessing._asdict())

    def preprocessing(self) -> Preprocessing:
        """What `write_preprocessing` kept. Raises ConfigError where it is missing or damaged."""
        return outputs.preprocessing(self.path)

    def write_predictions(self, logits: np.ndarray, labels: np.ndarray) -> None:
        """Keeps what the network answered on the test split: float [n, classes], beside int [n]."""
        self.write_arrays('predictions.npz', **outputs.predictions_of(logits, labels))

    def record_start(self, step: int, environment: Mapping[str, Any]) -> None:
        """Adds this start's versions, devices and git commit to environment.json."""
        self._write_json('environment.json', [*self.starts(), {'step': step, **environment}])

    def starts(self) -> list[dict[str, Any]]:
        """What `record_start` kept."""
        kind = list[schemas.Start]
        starts: list[dict[str, Any]] = (
            self._read_json('environment.json', kind) if self._has('environment.json') else []
        )
        return starts

    def metrics(self) -> list[dict[str, Any]]:
        """The lines of metrics.jsonl, of steps that increase; a last line cut short by a kill is not one."""
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
        """Appends a line to metrics.jsonl, on disk when this returns."""
        if self.writes:
            files.append(self.path / 'metrics.jsonl', (json.dumps(line, allow_nan=False) + '\n').encode())

    def last_step(self) -> int:
        """Of the last line of metrics.jsonl; 0 where there is none."""
        lines = self.metrics()
        return int(lines[-1]['step']) if lines else 0

    def cut_metrics(self, step: int) -> None:
        """Drops the lines after `step`, which the run is about to write again."""
        kept = [json.dumps(line) + '\n' for line in self.metrics() if line['step'] <= step]
        self._write('metrics.jsonl', ''.join(kept).encode())

    def summary(self) -> dict[str, Any] | None:
        """The summary of a finished run, else None."""
        return self._read_json('summary.json', schemas.Summary) if self._has('summary.json') else None

    def write_summary(self, summary: Mapping[str, Any]) -> None:
        """Marks the run as finished."""
        self._write_json('summary.json', summary)

    def failure(self) -> str | None:
        """Why the last start of the run failed, where a study started it; else None."""
        return (
            ' '.join(self._read('failure.txt').decode(errors='replace').split()) if self._has('failure.txt') else None
        )

    def write_failure(self, reason: str | None) -> None:
        """Keeps why the run failed; None, at the next start, forgets it."""
        if reason is not None:
            self.write_text('failure.txt', reason + '\n')
        elif self.writes:
            (self.path / 'failure.txt').unlink(missing_ok=True)

    def is_rehearsal(self) -> bool:
        """Whether a study trained it as one."""
        return self._has('rehearsal.txt')

    def mark_as_rehearsal(self) -> None:
        """Reports are to say that it is one."""
        self.write_text('rehearsal.txt', 'A rehearsal: its numbers say nothing of the experiment.\n')

    def write_arrays(self, name: str, **named: ArrayLike) -> None:
        """Writes a compressed .npz file."""
        if self.writes:
            self._write(name, arrays.as_npz(named))

    def set_aside(self) -> Path:
        """Gives the folder another name, `seed0.replaced1`, under which it counts as a run no more; returns it."""
        others = (self.path.with_name(f'{self.path.name}{REPLACED}{number}') for number in itertools.count(1))
        aside = next(path for path in others if not path.exists() and not path.is_symlink())
        self.path.rename(aside)
        return aside

    def write_text(self, name: str, text: str) -> None:
        """Writes a text file."""
        self._write(name, text.encode())

    def _has(self, name: str) -> bool:
        path = self.path / name
        return path.exists() or path.is_symlink()  # one that leads nowhere is told when it is read

    def _read(self, name: str) -> bytes:
        try:
            return files.read(self.path / name)
        except OSError as e:
            raise ConfigError(f'{shown(self.path / name)} cannot be read ({e.strerror})') from None

    def _read_json(self, name: str, kind: Any) -> Any:
        return parse(self._read(name), kind, shown(self.path / name))

    def _write_json(self, name: str, value: Any) -> None:
        self._write(name, (json.dumps(value, indent=2, allow_nan=False) + '\n').encode())

    def _write(self, name: str, content: bytes) -> None:
        if self.writes:
            files.write(self.path / name, content)
