"""What each part of `on_a_gpu.py` is given, and how it writes what it has found."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]


@dataclass
class Job:
    """A part that runs, and what it has found.

    Attributes:
        file: where the findings are written, as JSON.
        out: folder for tars of run folders.
        scratch: folder for run folders.
        data: files of `packed`.
        earlier: results of the parts that have ended, by name.
        end: the time at which the part should have ended.
        rehearse: whether everything is as small as possible.
        graphs: whether CUDA graphs are used; not if they do not work here.
    """

    file: Path
    out: Path
    scratch: Path
    data: list[Path]
    earlier: dict[str, Any]
    end: float
    rehearse: bool
    graphs: bool = True
    found: dict[str, Any] = field(default_factory=dict)

    def record(self, name: str, value: Any) -> None:
        """Adds a finding."""
        self.found[name] = value
        draft = self.file.with_suffix('.draft')
        draft.write_text(json.dumps(self.found))
        draft.replace(self.file)

    @property
    def changes(self) -> dict[str, Any]:
        """Fields of every config."""
        return {} if self.graphs else {'gpu.graphs': False}

    @property
    def words(self) -> list[str]:
        """These fields as words of a script's command line."""
        return [f'{name}={json.dumps(value)}' for name, value in self.changes.items()]

    @property
    def left(self) -> float:
        """Seconds until the end."""
        return self.end - time.time()

    def json(self) -> str:
        """The arguments of this job as text, for its process."""
        return json.dumps(asdict(self), default=str)

    @classmethod
    def from_json(cls, text: str) -> 'Job':
        """The inverse of `json`."""
        given = json.loads(text)
        paths = {name: Path(given[name]) for name in ('file', 'out', 'scratch')}
        return cls(**{**given, **paths, 'data': [Path(file) for file in given['data']]})

    def train(
        self, folder: str, config: str, changes: Mapping[str, Any], environment: Mapping[str, str] | None = None
    ) -> subprocess.Popen:
        """Starts `main.py`. Its run folder is `scratch/folder`. The caller reads its output."""
        command = [sys.executable, 'main.py', f'--config=configs/{config}.py', f'--workdir={self.scratch / folder}']
        command += [f'--config.{name}={value}' for name, value in {**self.changes, **changes}.items()]
        shared = {'XLA_PYTHON_CLIENT_PREALLOCATE': 'false'}  # several share a GPU's memory
        pipes = {'stdout': subprocess.PIPE, 'stderr': subprocess.STDOUT, 'text': True}
        return subprocess.Popen(command, cwd=ROOT, env=os.environ | shared | dict(environment or {}), **pipes)


def metrics(folder: Path) -> list[dict[str, Any]]:
    """The lines of metrics of a run; [] if there are none."""
    file = folder / 'metrics.jsonl'
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
