"""The process of one job of a study: `python -m jax_resnet.studies.job RUN_FOLDER`.

The run folder already has the config. The process writes one line of JSON to standard output after each dispatch; the
study shows it. Text for people goes to standard error. When standard input closes, the study has ended: the run saves
its state and stops.
"""

import json
import os
import signal
import sys
import threading
from pathlib import Path

from jax_resnet.commands import command_line
from jax_resnet.errors import ConfigError, Stopped
from jax_resnet.hosts import joining
from jax_resnet.hosts.place import find_place
from jax_resnet.runs.run_folder import RunFolder


def train(folder: str | Path) -> None:
    """Trains the run of a folder that has a config. If the run fails, the reason is written to the folder.

    On Slurm a job can have several processes. Each of them calls this.

    Raises:
        UserError: see `training.train`.
    """
    from jax_resnet import training
    from jax_resnet.platform import compilation_cache

    place = find_place(None, None, None)
    compilation_cache.enable()
    run_folder = RunFolder(folder, writes=place is None or place.index == 0)
    try:
        with joining.joined(place):
            training.train(run_folder.config(), folder, progress=_progress())
    except (Stopped, ConfigError):  # not a failure of the run: it was stopped, or its folder is in use or wrong
        raise
    except Exception as e:
        run_folder.write_failure(' '.join(str(e).split()) or type(e).__name__)
        raise


def _progress() -> type:
    from jax_resnet.training.progress import Progress

    class ReportsToStudy(Progress):
        """Reports to the study how far the run is."""

        def say(self, text: str) -> None:
            print(text, file=sys.stderr)

        def update(self, step: int, steps: int, loss: float, errors: int, seconds: float, waited: float = 0.0) -> None:
            line = {
                'step': step,
                'end': self._end,
                'epoch': self._clock.epochs(step),
                'train_loss': loss / steps,
                'train_error': 100 * errors / (steps * self._clock.batch_size),
            }
            self._print(json.dumps(line))  # does nothing if the study has ended

    return ReportsToStudy


def _stop_with_the_study() -> None:
    while os.read(sys.stdin.fileno(), 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == '__main__':
    threading.Thread(target=_stop_with_the_study, daemon=True).start()
    sys.exit(command_line.run(lambda: train(sys.argv[1])))
