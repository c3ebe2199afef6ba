"""Shows the progress of a study: in a terminal one bar for the study and a line for each run; elsewhere plain lines."""

import sys
from collections.abc import Mapping
from typing import Any

from tqdm import tqdm


class Display:
    """Shows the progress of a study.

    Args:
        workers: the number of runs that are trained at a time.
    """

    def __init__(self, workers: int) -> None:
        self._bars: list[tqdm] = []  # that of the study; then the line of each worker
        if sys.stdout.isatty():
            forms = ['{percentage:3.0f}%|{bar:20}| {desc}', *['{desc}'] * workers]
            self._bars = [
                tqdm(total=1.0, position=i, leave=not i, dynamic_ncols=True, file=sys.stdout, bar_format=form)
                for i, form in enumerate(forms)
            ]

    def say(self, text: str) -> None:
        """Prints a line that stays."""
        if self._bars:
            self._bars[0].write(text, file=sys.stdout)
        else:
            print(text, flush=True)

    def started(self, worker: int, name: str) -> None:
        """Shows that a worker has started a run."""
        if self._bars:
            self._bars[worker + 1].set_description_str(name)
        else:
            self.say(f'{name}: started')

    def show(self, worker: int, name: str, progress: Mapping[str, Any]) -> None:
        """Shows how far the run of a worker is, see `schemas.Progress`."""
        if self._bars:
            share = 100 * progress['step'] / progress['end']
            text = f'{name}: {share:.0f} %, epoch {progress["epoch"]:.1f}, train error {progress["train_error"]:.1f} %'
            self._bars[worker + 1].set_description_str(text)

    def show_study(self, share: float, text: str) -> None:
        """Shows which share of the study is done."""
        if self._bars:
            self._bars[0].n = share
            self._bars[0].set_description_str(text)

    def close(self) -> None:
        """Removes the lines of the workers. The bar of the study stays."""
        for bar in reversed(self._bars):
            bar.close()
