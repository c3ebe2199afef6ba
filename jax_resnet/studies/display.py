"""Shows the progress of a study: one bar for each job and one for the whole study, or plain lines."""

import sys
import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from tqdm import tqdm

from jax_resnet.studies.plan import Job

_FORM = '{percentage:3.0f}%|{bar:20}| {desc}'


class Display:
    """Shows the runs in progress, and the progress of the whole study with the time left.

    Args:
        costs: the jobs to train, each with an estimate of its time, in any unit.
    """

    def __init__(self, costs: Mapping[Job, float]) -> None:
        self._costs, self._began = costs, time.monotonic()
        self._shares: dict[Job, float] = {}  # the fraction of each job that is done; _first has the first reported one
        self._first: dict[Job, float] = {}
        self._ended = 0
        self._bars: dict[Job, tqdm] = {}
        self._whole: tqdm | None = None
        if sys.stdout.isatty():
            self._whole = tqdm(total=1.0, position=0, dynamic_ncols=True, file=sys.stdout, bar_format=_FORM)

    def say(self, text: str) -> None:
        """Prints a line that stays on the screen."""
        if self._whole is None:
            print(text, flush=True)
        else:
            self._whole.write(text, file=sys.stdout)

    def started(self, job: Job, device: str | None) -> None:
        """Shows that a job has started, on GPU `device`; None means that no GPU was chosen."""
        where = '' if device is None else f' on GPU {device}'
        if self._whole is None:
            self.say(f'{job.name}{where}: started')
        else:
            taken = {bar.pos for bar in self._bars.values()}
            position = next(n for n in range(1, len(taken) + 2) if -n not in taken)
            self._bars[job] = tqdm(
                total=1.0, position=position, leave=False, dynamic_ncols=True, file=sys.stdout, bar_format=_FORM
            )
            self._bars[job].set_description_str(f'{job.name}{where}')

    def progressed(self, job: Job, line: Mapping[str, Any]) -> None:
        """Shows that a job is at `step` of `end`, and its last training error. `line` is a `schemas.ProgressLine`."""
        share = line['step'] / line['end']
        self._first.setdefault(job, share)
        self._shares[job] = share
        if job in self._bars:
            bar = self._bars[job]
            text = f'{job.name}: epoch {line["epoch"]:.1f}, train error {line["train_error"]:.1f} %'
            bar.set_description_str(text, refresh=False)
            bar.n = share
            bar.refresh()
        self._show_whole()

    def ended(self, job: Job, text: str, is_finished: bool) -> None:
        """Shows that a job has ended, finished or not."""
        self._ended += 1
        self._shares[job] = 1.0
        self._first.setdefault(job, 1.0)  # without a line of progress, nothing was trained here
        if job in self._bars:
            self._bars.pop(job).close()
        number = f'[{self._ended}/{len(self._costs)}]'
        outcome = text if is_finished else f'not finished: {text}'
        self.say(f'{number} {job.name}: {outcome}' + ('' if self._whole else f'; {self._left()} left'))
        self._show_whole()

    def close(self) -> None:
        """Closes the bars."""
        for bar in (*self._bars.values(), self._whole):
            if bar is not None:
                bar.close()

    def _show_whole(self) -> None:
        if self._whole is not None:
            done = sum(cost * self._shares.get(job, 0.0) for job, cost in self._costs.items())
            self._whole.n = done / sum(self._costs.values())
            self._whole.set_description_str(
                f'{self._ended} of {len(self._costs)} runs, {self._left()} left', refresh=False
            )
            self._whole.refresh()

    def _left(self) -> str:
        """The time left, estimated from the speed since the study was started; '?' if nothing is done yet."""
        done = sum(self._costs[job] * (share - self._first[job]) for job, share in self._shares.items())
        left = sum(cost * (1 - self._shares.get(job, 0.0)) for job, cost in self._costs.items())
        if not left:
            return str(timedelta(0))
        if not done:
            return '?'
        return str(timedelta(seconds=round((time.monotonic() - self._began) * left / done)))
