"""What a person sees while a run goes on: a bar on a terminal, plain lines elsewhere."""

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import jax
from tqdm import tqdm

from jax_resnet.backend import processes
from jax_resnet.config.durations import Clock

LEAST_SHARE = 0.05
"""Of the time in which the devices wait for input, to be told."""


class Progress:
    """Shows step, epoch, losses, errors, speed and time left.

    Args:
        clock: of the run.
        end: its last step.
        log_every: between plain lines; the bar moves with every dispatch.
    """

    def __init__(self, clock: Clock, end: int, log_every: str) -> None:
        self._clock, self._end, self._log_every = clock, end, log_every
        self._is_terminal = sys.stdout.isatty()
        self._bar: tqdm | None = None
        self._began: tuple[int, float] | None = None
        self._new = (0, 0.0, 0)  # steps, loss and errors since the last line shown
        self._waited = (0.0, 0.0)  # and seconds, of which the devices waited for input

    def say(self, text: str) -> None:
        """A line that stays."""
        if self._bar is not None:
            self._bar.write(text, file=sys.stdout)
        else:
            self._print(text)

    def update(self, step: int, steps: int, loss: float, errors: int, seconds: float, waited: float = 0.0) -> None:
        """After a dispatch that led to `step`.

        Args:
            step: that was reached.
            steps: of this dispatch.
            loss, errors: sums over its steps.
            seconds: that it took.
            waited: seconds of these in which the devices waited for their input.
        """
        if self._began is None:
            self._began = (step, time.monotonic())
        self._new = (self._new[0] + steps, self._new[1] + loss, self._new[2] + errors)
        self._waited = (self._waited[0] + seconds, self._waited[1] + waited)
        if self._is_terminal and self._bar is None:
            form = '{percentage:3.0f}%|{bar}| {desc}'
            self._bar = tqdm(total=self._end, initial=step, dynamic_ncols=True, file=sys.stdout, bar_format=form)
        if self._bar is None and not self._clock.is_due(self._log_every, step):
            return
        all_steps, all_loss, all_errors = self._new
        share = self._waited[1] / self._waited[0]
        self._new, self._waited = (0, 0.0, 0), (0.0, 0.0)
        text = (
            f'epoch {self._clock.epochs(step):.2f}, train loss {all_loss / all_steps:.4g}, '
            f'error {100 * all_errors / (all_steps * self._clock.batch_size):.1f} %, '
            f'{steps * self._clock.batch_size / seconds:,.0f} images/s, {self._left(step)} left'
        )
        if share >= LEAST_SHARE:
            text += f', input-bound: {100 * share:.0f} %'
        if self._bar is not None:
            self._bar.set_description_str(text, refresh=False)
            self._bar.update(step - self._bar.n)
            self._bar.refresh()
        else:
            self._print(f'step {step:,} of {self._end:,}, {text}')

    def close(self) -> None:
        """Leaves the bar as it is."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _print(self, text: str) -> None:
        try:
            print(text, flush=True)
        except BrokenPipeError:  # whoever read has gone; the run goes on
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

    def _left(self, step: int) -> str:
        assert self._began is not None
        first, began = self._began
        if step == first:
            return '?'
        return str(timedelta(seconds=round((time.monotonic() - began) / (step - first) * (self._end - step))))


class Silent(Progress):
    """Shows nothing: of several processes, the first tells how the run is."""

    def say(self, text: str) -> None:
        """Nothing."""

    def update(self, step: int, steps: int, loss: float, errors: int, seconds: float, waited: float = 0.0) -> None:
        """Nothing."""


MakesProgress = Callable[[Clock, int, str], Progress]
"""From a run's clock, its last step and `log_every` to what shows its progress."""


@contextlib.contextmanager
def trace(folder: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Writes what the device and Python do meanwhile into the `profile` of a run folder; process 0 does."""
    if not processes.is_first():
        yield
        return
    with jax.profiler.trace(str(folder / 'profile')):
        yield
    say(f'trace written to {folder / "profile"}')
