"""Shows the progress of a run: a progress bar in a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import numpy as np
from tqdm import tqdm

from jax_resnet.config.durations import Clock
from jax_resnet.training.summary import describe_line

MIN_WAITING_SHARE = 0.05
"""Progress lines report how long the devices wait for input if it is at least this share of the time."""


class Progress:
    """Shows step, epoch, training loss, training error, speed and remaining time.

    Args:
        clock: converts steps to epochs.
        end: the last step of the run.
        log_every: duration between plain lines. The bar is updated after every dispatch.
    """

    def __init__(self, clock: Clock, end: int, log_every: str) -> None:
        self._clock, self._end, self._log_every = clock, end, log_every
        self._is_terminal = sys.stdout.isatty()
        self._bar: tqdm | None = None
        self._began: tuple[int, float] | None = None
        # Since the last line or update of the bar: steps, losses, errors, seconds, and seconds of waiting for input.
        self._sums = np.zeros(5)

    def say(self, line: str) -> None:
        """Prints a line. The bar stays below it."""
        if self._bar is not None:
            self._bar.write(line, file=sys.stdout)
        else:
            print(line, flush=True)

    def add_metrics(self, line: Mapping[str, Any]) -> None:
        """Prints a line of metrics after an evaluation. A subclass can also send it to another program.

        Args:
            line: the line of `metrics.jsonl`. The values of some keys are None if they are unknown.
        """
        self.say(describe_line(line))

    def update(self, step: int, steps: int, loss: float, errors: int, seconds: float, waited: float = 0.0) -> None:
        """Shows the progress after a dispatch.

        Args:
            step: the last step of the dispatch.
            steps: number of steps of the dispatch.
            loss: sum of the steps' mean losses.
            errors: number of wrong predictions in these steps.
            seconds: duration of the dispatch.
            waited: seconds of the dispatch in which the devices waited for input.
        """
        if self._began is None:
            self._began = (step, time.monotonic())
        self._sums += steps, loss, errors, seconds, waited
        if self._is_terminal and self._bar is None:
            bar_format = '{percentage:3.0f}%|{bar}| {desc}'
            self._bar = tqdm(total=self._end, initial=step, dynamic_ncols=True, file=sys.stdout, bar_format=bar_format)
        if self._bar is None and not self._clock.is_due(self._log_every, step):
            return
        all_steps, all_loss, all_errors, all_seconds, all_waited = self._sums
        waiting_share, self._sums = all_waited / all_seconds, np.zeros(5)
        line = (
            f'epoch {self._clock.epochs(step):.2f}, train loss {all_loss / all_steps:.4g}, '
            f'error {100 * all_errors / (all_steps * self._clock.batch_size):.1f} %, '
            f'{all_steps * self._clock.batch_size / all_seconds:,.0f} images/s, {self._left(step)} left'
        )
        if waiting_share >= MIN_WAITING_SHARE:
            line += f', input-bound: {100 * waiting_share:.0f} %'
        if self._bar is not None:
            self._bar.set_description_str(line, refresh=False)
            self._bar.update(step - self._bar.n)
            self._bar.refresh()
        else:
            print(f'step {step:,} of {self._end:,}, {line}', flush=True)

    def close(self) -> None:
        """Ends the bar. Its last state stays in the terminal."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _left(self, step: int) -> str:
        assert self._began is not None
        first, began = self._began
        if step == first:
            return '?'
        return str(timedelta(seconds=round((time.monotonic() - began) / (step - first) * (self._end - step))))


class Silent(Progress):
    """Shows nothing. If several processes train a run, only process 0 shows its progress."""

    def say(self, line: str) -> None:
        """Prints nothing."""

    def update(self, step: int, steps: int, loss: float, errors: int, seconds: float, waited: float = 0.0) -> None:
        """Prints nothing."""
