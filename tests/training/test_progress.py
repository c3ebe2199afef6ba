"""What a run shows of its progress: a bar in a terminal, and lines elsewhere."""

import re
import sys

import pytest

from jax_resnet.config.durations import Clock
from jax_resnet.training.progress import Progress
from tests.terminal import Terminal


def progress() -> Progress:
    return Progress(Clock(epoch_size=100, batch_size=10), end=20, log_every='5 steps')


def test_in_a_terminal_lines_stay_above_the_bar_and_its_last_state_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, 'stdout', terminal)
    shown = progress()
    shown.say('before')
    shown.update(5, 5, loss=10.0, errors=25, seconds=1.0)
    shown.say('between')
    *lines, bar = terminal.screen()
    assert lines == ['before', 'between']
    assert re.fullmatch(r' 25%\|.+\| epoch 0\.50, train loss 2, error 50\.0 %, 50 images/s, \? left', bar)
    shown.update(20, 15, loss=15.0, errors=30, seconds=1.0)
    shown.close()
    shown.say('after')
    *lines, bar, last = terminal.screen()
    assert (lines, last) == (['before', 'between'], 'after')
    assert re.fullmatch(r'100%\|.+\| epoch 2\.00, train loss 1, error 20\.0 %, 150 images/s, 0:00:00 left', bar)


def test_elsewhere_there_is_a_line_every_so_often(capsys: pytest.CaptureFixture) -> None:
    shown = progress()
    for step, steps in ((3, 3), (5, 2)):
        shown.update(step, steps, loss=2.0, errors=5, seconds=1.0)
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith('step 5 of 20, epoch 0.50, train loss 0.8, error 20.0 %, 25 images/s, ')


@pytest.mark.parametrize(('waited', 'end'), [(0.04, ' left'), (0.06, ' left, input-bound: 6 %')])
def test_a_share_of_waiting_is_shown_from_5_percent_on(waited: float, end: str, capsys: pytest.CaptureFixture) -> None:
    progress().update(5, 5, loss=1.0, errors=0, seconds=1.0, waited=waited)
    assert capsys.readouterr().out.endswith(f'{end}\n')
