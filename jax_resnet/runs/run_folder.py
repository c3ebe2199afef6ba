"""The run folder: everything a run leaves behind, and what it needs to go on."""

import contextlib
import fcntl
import glob
import importlib.metadata
import io
import json
import os
import platform
import subprocess
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from numpy.typing import ArrayLike

from jax_resnet.config.identity import checked, compared
from jax_resnet.data.preprocessing import CentreView, Normalization
from jax_resnet.errors import ConfigError, DataError


class Preprocessing(NamedTuple):
    """What a network's input and output mean: the view, (height, width, channels) of the images, the classes' names."""

    view: CentreView
    image_shape: tuple[int, int, int]
    class_names: tuple[str, ...]


class RunFolder:
    """The files of a run. Each is whole or absent: a write goes to another name first."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def open(self, config: Mapping[str, Any]) -> None:
        """Makes the folder, or checks that it holds a run of the same config.

        Raises:
            ConfigError: it holds a run of another config (the message shows the difference), is a file, or has a
                name under which checkpoints would not be whole.
        """
        if glob.has_magic(str(self.path.absolute())):  # orbax looks for a checkpoint's parts by a pattern
            raise ConfigError(f'{self.path.absolute()}: the path of a run must have none of * ? [ ]')
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as e:
            raise ConfigError(f'{self.path}: must be a folder, or a place for one ({e.strerror})') from None
        if not self._has('config.json'):
            self._write_json('config.json', config)
        self.check_same(config)

    def check_same(self, config: Mapping[str, Any]) -> None:
        """Raises ConfigError, which shows the difference, where the folder holds a run of another config."""
        there, here = compared(self.config()), compared(config)
        differences = [
            f'config.{name} is {there.get(name)!r} there, {here.get(name)!r} here'
            for name in sorted({*there, *here})
            if there.get(name) != here.get(name)
        ]
        if differences:
            difference = '; '.join(differences)
            raise ConfigError(
                f'{self.path} holds a run of another config ({difference}): --workdir names another folder'
            )

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

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keeps other programs out while this one runs; the lock of a program that died is free.

        Raises:
            ConfigError: another program runs here.
        """
        with (self.path / 'lock').open('w') as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise ConfigError(
                    f'{self.path}: another program trains here; wait, or name another --workdir'
                ) from None
            yield

    def config(self) -> dict[str, Any]:
        """The config of the run, as nested dicts.

        Raises:
            ConfigError: there is none here, so that this is no run folder; or it is damaged.
        """
        if not self._has('config.json'):
            raise ConfigError(f'{self.path}: must be a run folder; it has no config.json')
        return checked(self._read_json('config.json'), self.path / 'config.json')

    def write_preprocessing(self, preprocessing: 'Preprocessing') -> None:
        """Keeps what whoever uses the network must know of its input and output."""
        (normalize, crop), image_shape, class_names = preprocessing
        shape, names = np.array(image_shape), np.array(class_names)
        self.write_arrays(
            'preprocessing.npz', mean=normalize.mean, std=normalize.std, crop=crop, image_shape=shape, class_names=names
        )

    def preprocessing(self) -> 'Preprocessing':
        """What `write_preprocessing` kept. Raises ConfigError where it is missing or damaged."""
        path = self.path / 'preprocessing.npz'
        try:
            with path.open('rb') as file, np.load(file, allow_pickle=False) as arrays:
                view = CentreView(Normalization(arrays['mean'], arrays['std']), int(arrays['crop']))
                height, width, channels = arrays['image_shape'].tolist()
                return Preprocessing(view, (height, width, channels), tuple(arrays['class_names'].tolist()))
        except (OSError, ValueError, KeyError, EOFError, AttributeError, zipfile.BadZipFile) as e:
            raise ConfigError(f'{path} cannot be read ({" ".join(str(e).split())})') from None

    def record_start(self, step: int) -> None:
        """Adds this start's versions, devices and git commit to environment.json."""
        self._write_json('environment.json', [*self.starts(), {'step': step, **environment()}])

    def starts(self) -> list[dict[str, Any]]:
        """What `record_start` kept."""
        starts: list[dict[str, Any]] = self._read_json('environment.json') if self._has('environment.json') else []
        return starts

    def metrics(self) -> list[dict[str, Any]]:
        """The lines of metrics.jsonl; a last line cut short by a kill is not one."""
        if not self._has('metrics.jsonl'):
            return []
        lines = (self.path / 'metrics.jsonl').read_bytes().splitlines(keepends=True)
        try:
            return [json.loads(line) for line in lines if line.endswith(b'\n')]
        except ValueError as e:
            raise ConfigError(f'{self.path / "metrics.jsonl"} is damaged ({e})') from None

    def add_metrics(self, line: Mapping[str, Any]) -> None:
        """Appends a line to metrics.jsonl, on disk when this returns."""
        with (self.path / 'metrics.jsonl').open('a') as file:
            file.write(json.dumps(line, allow_nan=False) + '\n')
            file.flush()
            os.fsync(file.fileno())

    def cut_metrics(self, step: int) -> None:
        """Drops the lines after `step`, which the run is about to write again."""
        kept = [json.dumps(line) + '\n' for line in self.metrics() if line['step'] <= step]
        self._write('metrics.jsonl', ''.join(kept).encode())

    def summary(self) -> dict[str, Any] | None:
        """The summary of a finished run, else None."""
        return self._read_json('summary.json') if self._has('summary.json') else None

    def write_summary(self, summary: Mapping[str, Any]) -> None:
        """Marks the run as finished."""
        self._write_json('summary.json', summary)

    def failure(self) -> str | None:
        """Why the last start of the run failed, where a study started it; else None."""
        return (self.path / 'failure.txt').read_text().strip() if self._has('failure.txt') else None

    def write_failure(self, reason: str | None) -> None:
        """Keeps why the run failed; None, at the next start, forgets it."""
        if reason is None:
            (self.path / 'failure.txt').unlink(missing_ok=True)
        else:
            self.write_text('failure.txt', reason + '\n')

    def write_arrays(self, name: str, **arrays: ArrayLike) -> None:
        """Writes a compressed .npz file."""
        content = io.BytesIO()
        np.savez_compressed(content, allow_pickle=False, **arrays)
        self._write(name, content.getvalue())

    def write_text(self, name: str, text: str) -> None:
        """Writes a text file."""
        self._write(name, text.encode())

    def _has(self, name: str) -> bool:
        return (self.path / name).exists()

    def _read_json(self, name: str) -> Any:
        try:
            return json.loads((self.path / name).read_text())
        except (OSError, ValueError) as e:
            raise ConfigError(f'{self.path / name} is damaged ({e})') from None

    def _write_json(self, name: str, value: Any) -> None:
        self._write(name, (json.dumps(value, indent=2, allow_nan=False) + '\n').encode())

    def _write(self, name: str, content: bytes) -> None:
        draft = self.path / f'{name}.draft'
        with draft.open('wb') as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self.path / name)


def environment() -> dict[str, Any]:
    """Versions, devices and, where the package lies in a checkout, the git commit ('+' where it has changes)."""
    packages = ('jax_resnet', 'jax', 'jaxlib', 'flax', 'optax', 'orbax-checkpoint', 'tensorflow-datasets', 'numpy')
    versions = {'python': platform.python_version()}
    for name in packages:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = 'not installed'
    return {'versions': versions, 'device': describe_devices(jax.local_devices()), 'git_commit': _git_commit()}


def describe_devices(devices: list[jax.Device]) -> str:
    """Such as '1 x NVIDIA H200' or '1 x cpu (2 cores)'."""
    kind = devices[0].device_kind
    return f'{len(devices)} x {kind}' + (f' ({os.cpu_count()} cores)' if devices[0].platform == 'cpu' else '')


def _git_commit() -> str | None:
    def git(*words: str) -> str:
        return subprocess.check_output(('git', *words), cwd=Path(__file__).parent, stderr=subprocess.DEVNULL, text=True)

    try:
        git('ls-files', '--error-unmatch', Path(__file__).name)  # the repository is this package's
        return git('rev-parse', 'HEAD').strip() + ('+' if git('status', '--porcelain').strip() else '')
    except (OSError, subprocess.CalledProcessError):
        return None
