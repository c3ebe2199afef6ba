"""TensorBoard's events of a run. Each start writes them again from metrics.jsonl, so that a kill leaves no gap."""

import shutil
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any


class Events:
    """Writes one scalar for each field of each line of metrics. The scalars are on disk when `add` returns.

    It starts no thread.

    Args:
        folder: the folder for TensorBoard. Its old content is removed.
        metrics: the lines that metrics.jsonl already has.

    Raises:
        OSError: the folder or the file cannot be written. `add` raises it, too.
    """

    def __init__(self, folder: Path, metrics: Iterable[Mapping[str, Any]]) -> None:
        from tensorboardX.event_file_writer import EventsWriter  # sets an environment variable

        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self._writer = EventsWriter(str(folder.absolute() / 'events'))
        for line in metrics:
            self._write(line)
        self._writer.flush()

    def add(self, line: Mapping[str, Any]) -> None:
        """Writes one line of metrics."""
        self._write(line)
        self._writer.flush()

    def close(self) -> None:
        """Closes the file."""
        self._writer.close()

    def _write(self, line: Mapping[str, Any]) -> None:
        from tensorboardX.proto.event_pb2 import Event
        from tensorboardX.summary import scalar

        for name, value in line.items():
            if name != 'step' and value is not None:
                self._writer.write_event(Event(wall_time=time.time(), step=line['step'], summary=scalar(name, value)))
