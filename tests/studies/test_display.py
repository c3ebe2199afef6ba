"""The bars of a study in a terminal."""

import sys

import pytest

from jax_resnet.studies.display import Display
from jax_resnet.studies.plan import Job
from tests.terminal import Terminal


def test_each_job_has_a_bar_and_a_free_place_is_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, 'stdout', terminal)
    first, second, third = jobs = [Job(label, 'a.py', {}, seed=0, config={}) for label in ('A', 'B', 'C')]
    display = Display(dict.fromkeys(jobs, 1.0))

    def shown() -> list[str]:
        return [line.split('| ')[-1] for line in terminal.screen()]

    display.started(first, '0')
    display.started(second, None)
    assert shown()[1:] == ['A, seed 0 on GPU 0', 'B, seed 0']
    display.progressed(second, {'step': 1, 'end': 2, 'epoch': 1.5, 'train_error': 20.0})
    assert shown()[0].startswith('0 of 3 runs, ') and shown()[2] == 'B, seed 0: epoch 1.5, train error 20.0 %'
    display.ended(first, '5.00 % test error', is_finished=True)
    assert shown()[0] == '[1/3] A, seed 0: 5.00 % test error'
    display.started(third, None)
    assert shown()[1].startswith('1 of 3 runs, ') and terminal.screen()[1].startswith(' 50%')
    assert shown()[2:] == ['C, seed 0', 'B, seed 0: epoch 1.5, train error 20.0 %']
    display.ended(second, 'it failed', is_finished=False)
    display.say('a line')
    assert shown()[1:3] == ['[2/3] B, seed 0: not finished: it failed', 'a line'] and shown()[4:] == ['C, seed 0']
    display.close()
    assert len(shown()) == 4
