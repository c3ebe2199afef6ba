"""Signals in new processes: inside a loop that checks for them, and elsewhere."""

import os
import signal
from pathlib import Path

import pytest

from tests.slow.processes import ROOT, python

LOOP = """
import os, signal, sys
from jax_resnet import signals; from jax_resnet.commands import command_line
def run(words):
    with signals.StopSignals() as stop:
        os.kill(os.getpid(), {number})
        print('received', stop.received, flush=True)
        {then}
command_line._command = run
print('ended', command_line.main([]))
"""
BUSY = """
import ctypes, os, threading
from jax_resnet.commands import command_line
def run(words):
    # a call that does not return to Python, like a call of a compiler
    threading.Timer(0.3, os.kill, (os.getpid(), {number})).start()
    ctypes.CDLL(None).sleep(60)
command_line._command = run
command_line.main([])
"""


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_is_recorded_and_the_second_ends_the_process(number: signal.Signals) -> None:
    once = python('-c', LOOP.format(number=int(number), then='pass'))
    assert once.out == f'received {int(number)}\nended 0\n' and 'a second signal stops at once' in once.err
    again = 'os.kill(os.getpid(), stop.received)'
    assert python('-c', LOOP.format(number=int(number), then=again)).out == once.out  # within a second, as launchers do
    twice = python('-c', LOOP.format(number=int(number), then=f'import time; time.sleep(1.1); {again}'))
    assert (twice.code, twice.out) == (128 + number, f'received {int(number)}\n')


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_during_a_call_that_does_not_return_the_process_ends_at_once_and_prints_nothing(number: signal.Signals) -> None:
    assert python('-c', BUSY.format(number=int(number))) == (-number, '', '')


def test_an_ignored_signal_stays_ignored() -> None:
    """`nohup` and a shell's background jobs ignore SIGINT."""
    ignore = 'import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n'
    assert python('-c', ignore + LOOP.format(number=2, then='pass')).out == 'received None\nended 0\n'


INTERRUPTED = """
import os, signal, sys
class Interrupt:
    def find_spec(self, name, *_):
        if name == {at!r}:
            os.kill(os.getpid(), signal.SIGINT)
sys.modules.pop({at!r}, None)
sys.meta_path.insert(0, Interrupt())
"""


@pytest.mark.parametrize(
    ('at', 'command'),
    [('argparse', ['main.py']), ('argparse', ['-m', 'jax_resnet']), ('jax', ['-m', 'jax_resnet', 'evaluate', 'x'])],
)
def test_ctrl_c_during_imports_prints_no_traceback(at: str, command: list[str], tmp_path: Path) -> None:
    (tmp_path / 'sitecustomize.py').write_text(INTERRUPTED.format(at=at))  # Python imports it first
    assert python(*command, PYTHONPATH=f'{tmp_path}{os.pathsep}{ROOT}') == (-signal.SIGINT, '', '')
