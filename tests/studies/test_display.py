"""The bar of a study and the lines of its runs in a terminal."""

import sys

import pytest

from jax_resnet.studies.display import Display
from tests.terminal import Terminal


def test_one_bar_for_the_study_and_a_line_for_each_run(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, 'stdout', terminal)
    display = Display(workers=2)
    display.started(0, 'A, seed 0 on GPU 0')
    display.started(1, 'B, seed 0 on GPU 1')
    display.show(1, 'B, seed 0', {'step': 1, 'end': 2, 'epoch': 1.5, 'train_error': 20.0})
    display.show_study(0.5, '1 of 2 runs, 0:01:00 left')
    display.say('a line')
    first, bar, *lines = terminal.screen()
    assert first == 'a line' and bar.startswith(' 50%') and bar.endswith('1 of 2 runs, 0:01:00 left')
    assert lines == ['A, seed 0 on GPU 0', 'B, seed 0: 50 %, epoch 1.5, train error 20.0 %']
    display.close()
    assert len(terminal.screen()) == 2
