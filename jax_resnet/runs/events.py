"""TensorBoard's events of a run: a picture of metrics.jsonl, drawn anew at each start, so that no kill leaves a gap."""

import shutil
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any


class Events:
    """Writes a scalar for each field of each line of metrics, on disk when `add` returns. No thread is involved.

    Args:
        folder: for TensorBoard; what it holds is replaced.
        metrics: the lines so far.

    Raises:
        OSError: here and in `add`, where it cannot be written.
    """

    def __init__(self, folder: Path, metrics: Iterable[Mapping[str, Any]]) -> None:
        from tensorboardX.event_file_writer import EventsWriter  # sets an environment variable

        if folder.is_symlink():
            folder.unlink()
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
