"""The run folder: everything that a run writes, and what it needs to continue."""

import contextlib
import fcntl
import glob
import json
import logging
import os
import struct
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jax_resnet import files
from jax_resnet.config.fields import Config
from jax_resnet.config.identity import differences
from jax_resnet.errors import ConfigError, DataError, Stopped, reason
from jax_resnet.runs import outputs, schemas
from jax_resnet.runs.outputs import Predictions, Preprocessing

_log = logging.getLogger(__name__)


class RunFolder:
    """The files of a run.

    Each file is written under another name first, so it is complete or absent. Only metrics.jsonl and TensorBoard's
    events grow, line by line.

    Args:
        path: the path of the folder.
        writes: whether this process writes files. If several processes train one run, only the first one writes.
    """

    def __init__(self, path: str | Path, writes: bool = True) -> None:
        self.path, self.writes = files.local(path), writes
        self.checkpoints, self.tensorboard = self.path / 'checkpoints', self.path / 'tensorboard'
        self.profile, self.log = self.path / 'profile', self.path / 'log.txt'
        self._events: Path | None = None

    def open(self, config: Config, file: str | None = None, changes: Mapping[str, Any] | None = None) -> None:
        """Writes config.json, see `schemas.RunConfig`, or checks that the run has the same config if it has begun.

        Removes the reason why an earlier start failed.

        Raises:
            ConfigError: the folder holds a run of another config (the message shows the difference), cannot be made, or
                has a path that the checkpoint library cannot handle.
        """
        self._make()
        if self.has_begun():
            self.check_same(config)
        else:
            self._write('config.json', schemas.as_json({'file': file, 'changes': changes or {}, 'fields': config}))
            (self.path / 'environment.json').unlink(missing_ok=True)  # of a run whose place this one takes
        (self.path / 'failure.txt').unlink(missing_ok=True)

    def _make(self) -> None:
        path = str(self.path.absolute())
        if glob.has_magic(path) or '\\' in path or not path.isprintable():  # orbax finds files by a glob pattern
            raise ConfigError(f'{path}: the path of a run must have none of * ? [ ] \\ and be printable')
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as e:
            raise ConfigError(f'{path}: must be a folder, or a path where one can be made ({e.strerror})') from None

    def exists(self) -> bool:
        """Whether the folder holds a run."""
        return (self.path / 'config.json').exists()

    def has_begun(self) -> bool:
        """Whether the run has a checkpoint or a line of metrics. Until then, another run may take its place."""
        metrics = self.path / 'metrics.jsonl'
        return self.exists() and (bool(self.saved_steps()) or (metrics.exists() and metrics.stat().st_size > 0))

    def saved_steps(self) -> list[int]:
        """The steps of the complete checkpoints."""
        return sorted(int(path.name) for path in self.checkpoints.glob('*') if path.name.isdigit())

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
        except OSError as e:
            raise DataError(
                f'{self.path}: cannot be written ({reason(e)}); the same command continues from the last saved state'
            ) from e

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Makes the folder, and holds its lock within this context. The system releases it when the program ends.

        Raises:
            ConfigError: another program trains in the folder.
        """
        if not self.writes:
            yield
            return
        self._make()
        with (self.path / 'lock').open('a') as file:
            for _ in range(50):  # `is_locked` takes the lock, too, for a moment
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    time.sleep(0.02)
                except OSError as e:  # some file systems have no locks
                    _log.warning('%s: cannot be locked (%s); use only one program here', self.path, e.strerror)
                    break
            else:
                raise ConfigError(
                    f'{self.path}: another program trains in this folder; wait, or give another folder by --workdir'
                )
            yield

    def is_locked(self) -> bool:
        """Whether a program trains in the folder. It writes nothing, and several callers do not disturb each other."""
        try:
            with (self.path / 'lock').open() as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:  # there is no lock, or the file system has none
            pass
        return False

    def config(self) -> Config:
        """Returns the config of the run. Raises ConfigError like `origin`."""
        return self.origin()['fields']

    def origin(self) -> schemas.RunConfig:
        """Returns where the run comes from: the config file, the changes and all fields.

        Raises:
            ConfigError: there is no config.json, so that this is no run folder; or it is damaged.
        """
        origin: schemas.RunConfig | None = self._read_json('config.json', schemas.RunConfig)
        if origin is None:
            reason = 'it has no config.json' if self.path.is_dir() else 'there is no such folder'
            raise ConfigError(f'{self.path}: must be a run folder; {reason}')
        return origin

    def preprocessing(self) -> Preprocessing:
        """Reads preprocessing.npz. Raises ConfigError if it is missing or damaged."""
        mean, std, crop, shape, names = outputs.read(self.path / 'preprocessing.npz', *Preprocessing._fields)
        return Preprocessing(mean, std, int(crop), tuple(shape.tolist()), tuple(names.tolist()))

    def write_preprocessing(self, preprocessing: Preprocessing) -> None:
        """Writes preprocessing.npz, which a user of the network needs to prepare its input and to read its output."""
        self._write('preprocessing.npz', outputs.npz(preprocessing._asdict()))

    def write_pictures(self, listing: np.ndarray) -> None:
        """Writes pictures.npz, the names and sizes of the pictures, if the run does not have it.

        Args:
            listing: b'split/name size' of each file, such as b'train/cat/0.jpg 12345'.
        """
        if len(listing) and not (self.has_begun() and (self.path / 'pictures.npz').exists()):
            self._write('pictures.npz', outputs.npz({'pictures': listing}))

    def different_pictures(self, listing: np.ndarray) -> str:
        """Says how pictures differ from those of the run in the same splits; '' if they do not, or have no record."""
        recorded = self._arrays('pictures.npz', 'pictures')
        if recorded is None or not len(listing):
            return ''
        now, run = (dict(entry.rsplit(b' ', 1) for entry in array.tolist()) for array in (listing, *recorded))
        splits = {name.split(b'/')[0] for name in now} & {name.split(b'/')[0] for name in run}
        now, run = ({name: pair[name] for name in pair if name.split(b'/')[0] in splits} for pair in (now, run))
        changes = {
            'added': now.keys() - run.keys(),
            'missing': run.keys() - now.keys(),
            'of another size': {name for name in now.keys() & run.keys() if now[name] != run[name]},
        }
        return ', '.join(
            f'{len(names):,} {change} ({", ".join(os.fsdecode(name) for name in sorted(names)[:3])})'
            for change, names in changes.items()
            if names
        )

    def write_parameters(self, overview: str) -> None:
        """Writes parameters.txt, a table of the network's arrays for a person."""
        self._write('parameters.txt', f'{overview}\n'.encode())

    def write_predictions(
        self, logits: np.ndarray, labels: np.ndarray, mistakes: Mapping[str, np.ndarray], names: Sequence[str] = ()
    ) -> None:
        """Writes what the network predicts, see `outputs.prediction_arrays`; and some wrong predictions, `mistakes`."""
        self._write('predictions.npz', outputs.npz(outputs.prediction_arrays(logits, labels, names)))
        self._write('mistakes.npz', outputs.npz(mistakes))

    def predictions(self) -> Predictions | None:
        """Reads predictions.npz. Returns None if there is no such file. Raises ConfigError if a file is damaged."""
        found = self._arrays('predictions.npz', 'classes', 'probabilities', 'labels', 'files')
        if found is None:
            return None
        classes, probabilities, labels, names = found
        return Predictions(classes, probabilities, labels, self.preprocessing().class_names, tuple(names.tolist()))

    def mistakes(self) -> list[np.ndarray] | None:
        """Reads mistakes.npz: images of wrongly predicted examples. Raises ConfigError if it is damaged.

        Returns:
            The positions of the n examples in the predictions, int [n], and their images, uint8 [n, height, width,
            channels]. None if there is no such file.
        """
        return self._arrays('mistakes.npz', 'index', 'images')

    def starts(self) -> list[dict[str, Any]]:
        """Returns what `record_start` wrote, one mapping for each start, see `schemas.Start`."""
        return self._read_json('environment.json', list[schemas.Start]) or []

    def record_start(self, step: int, environment: Mapping[str, Any]) -> None:
        """Adds this start's versions, devices and git commit to environment.json."""
        self._write('environment.json', schemas.as_json([*self.starts(), {**environment, 'step': step}]))

    def metrics(self) -> list[dict[str, Any]]:
        """Returns the lines of metrics.jsonl, see `schemas.Line`, without a last line that a kill cut short.

        Raises:
            ConfigError: a line is damaged.
        """
        path = self.path / 'metrics.jsonl'
        lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
        return [
            schemas.parse(line, schemas.Line, f'{path}: line {number}')
            for number, line in enumerate(lines, start=1)
            if line.endswith(b'\n')
        ]

    def add_metrics(self, line: Mapping[str, Any]) -> None:
        """Appends a line to metrics.jsonl and to TensorBoard's events. It is on disk when this returns."""
        if self.writes:
            files.append(self.path / 'metrics.jsonl', (json.dumps(line, allow_nan=False) + '\n').encode())
            if self._events is not None:
                files.append(self._events, _events(line))

    def cut_metrics(self, step: int) -> None:
        """Removes the lines after `step` from metrics.jsonl, because the run will write them again.

        A start of a run calls this once. It writes TensorBoard's events again, so that a kill leaves no gap.
        """
        if not self.writes:
            return
        kept = [line for line in self.metrics() if line['step'] <= step]
        self._write('metrics.jsonl', ''.join(json.dumps(line) + '\n' for line in kept).encode())
        self.tensorboard.mkdir(exist_ok=True)
        for events in self.tensorboard.glob('events.*'):
            events.unlink(missing_ok=True)
        self._events = self.tensorboard / f'events.out.tfevents.{time.time_ns()}'  # TensorBoard asks for such a name
        files.write({self._events: _record(file_version='brain.Event:2') + b''.join(map(_events, kept))})

    def summary(self) -> dict[str, Any] | None:
        """Returns the summary of a finished run, see `schemas.Summary`, else None."""
        summary: dict[str, Any] | None = self._read_json('summary.json', schemas.Summary)
        return summary

    def write_summary(self, summary: Mapping[str, Any]) -> None:
        """Writes summary.json, which marks the run as finished."""
        self._write('summary.json', schemas.as_json(summary))

    def progress(self) -> tuple[dict[str, Any], float] | None:
        """Returns how far the run is, see `schemas.Progress`, and when it was that far; None if it is not known."""
        path = self.path / 'progress.json'
        with contextlib.suppress(ConfigError):  # a power cut can damage it
            return (self._read_json(path.name, schemas.Progress), path.stat().st_mtime) if path.exists() else None
        return None

    def write_progress(self, progress: Mapping[str, Any]) -> None:
        """Writes how far the run is. This is often, so that it does not wait for the disk."""
        if self.writes:
            draft = self.path / 'progress.json.draft'
            draft.write_text(json.dumps(progress))
            draft.replace(self.path / 'progress.json')

    @contextlib.contextmanager
    def failures_written(self) -> Iterator[None]:
        """Writes the reason to the folder if training fails in this context. A stop or a wrong config is no failure.

        Nor is it one if another program trains the run.
        """
        try:
            yield
        except (Stopped, ConfigError):
            raise
        except Exception as e:
            if self.exists() and not self.is_locked():  # a context inside this one has released the run's own lock
                with contextlib.suppress(OSError):
                    self.write_failure(' '.join(str(e).split()) or type(e).__name__)
            raise

    def failure(self) -> str | None:
        """Returns why the last start of the run failed, or None."""
        path = self.path / 'failure.txt'
        return ' '.join(path.read_text(errors='replace').split()) if path.exists() else None

    def write_failure(self, reason: str) -> None:
        """Writes why the run failed."""
        self._write('failure.txt', f'{reason}\n'.encode())

    def _arrays(self, name: str, *arrays: str) -> list[np.ndarray] | None:
        path = self.path / name
        return outputs.read(path, *arrays) if path.exists() else None

    def _read_json(self, name: str, schema: Any) -> Any:
        path = self.path / name
        return schemas.read(path, schema) if path.exists() else None

    def _write(self, name: str, content: bytes) -> None:
        if self.writes:
            files.write({self.path / name: content})


def _events(line: Mapping[str, Any]) -> bytes:
    """TensorBoard's records of a line of metrics: a scalar for each field."""
    from tensorboardX.summary import scalar  # sets an environment variable

    values = {name: value for name, value in line.items() if name != 'step' and value is not None}
    return b''.join(_record(step=line['step'], summary=scalar(name, value)) for name, value in values.items())


def _record(**fields: Any) -> bytes:
    """A record of TFRecord: the length of an event, its checksum, the event, its checksum."""
    from tensorboardX.proto.event_pb2 import Event
    from tensorboardX.record_writer import masked_crc32c

    event = Event(wall_time=time.time(), **fields).SerializeToString()
    return b''.join(part + struct.pack('<I', masked_crc32c(part)) for part in (struct.pack('<Q', len(event)), event))
