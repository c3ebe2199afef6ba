"""Signals, in processes of their own: in a loop that heeds them, and at any other time."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HEEDING = """
import os, signal, sys
from jax_resnet import command_line, signals
def run():
    with signals.StopSignals() as stop:
        os.kill(os.getpid(), {number})
        print('noted', stop.received, flush=True)
        {then}
print('ended', command_line.run(run))
"""
BUSY = """
import ctypes, os, threading
from jax_resnet import command_line
def run():
    # a call that does not return to Python, as one into a compiler
    threading.Timer(0.3, os.kill, (os.getpid(), {number})).start()
    ctypes.CDLL(None).sleep(60)
command_line.run(run)
"""


def run(program: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, '-c', program], cwd=ROOT, capture_output=True, text=True, timeout=30)


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_a_loop_notes_the_first_and_the_second_ends_the_process(number: signal.Signals) -> None:
    once = run(HEEDING.format(number=int(number), then='pass'))
    assert once.stdout == f'noted {int(number)}\nended 0\n' and 'once more to stop at once' in once.stderr
    twice = run(HEEDING.format(number=int(number), then='os.kill(os.getpid(), stop.received)'))
    assert (twice.returncode, twice.stdout) == (128 + number, f'noted {int(number)}\n')


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_a_call_that_does_not_return_is_ended_at_once_and_without_a_word(number: signal.Signals) -> None:
    done = run(BUSY.format(number=int(number)))
    assert (done.returncode, done.stdout, done.stderr) == (-number, '', '')


def test_what_is_ignored_stays_so() -> None:
    """As of `nohup`, and of a shell's background jobs."""
    done = run('import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n' + HEEDING.format(number=2, then='pass'))
    assert done.stdout == 'noted None\nended 0\n'


@pytest.mark.skipif(sys.platform == 'win32', reason='has no such limit')
def test_too_few_open_files_are_told() -> None:
    done = run(
        'import resource\nfrom jax_resnet import command_line\n'
        'resource.setrlimit(resource.RLIMIT_NOFILE, (12, 12))\n'
        'raise SystemExit(command_line.run(lambda: None))'
    )
    assert (done.returncode, done.stderr) == (2, 'error: ulimit -n is 12: must be at least 64\n')


INTERRUPTED = """
import os, runpy, signal, sys
class Interrupt:
    def find_spec(self, name, *_):
        if name == {at!r}:
            os.kill(os.getpid(), signal.SIGINT)
sys.modules.pop({at!r}, None)
sys.meta_path.insert(0, Interrupt())
sys.argv = ['main.py', '--help']
{run}
"""


@pytest.mark.parametrize(
    ('at', 'start'),
    [('absl', "runpy.run_path('main.py', run_name='__main__')")]
    + [
        ('argparse', f"runpy.run_module('jax_resnet.{name}', run_name='__main__')")
        for name in ('convert', 'evaluate', 'export', 'predict', 'responses', 'results', 'study')
    ],
)
def test_ctrl_c_while_a_command_is_imported_is_no_traceback(at: str, start: str) -> None:
    done = run(INTERRUPTED.format(at=at, run=start))
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, '', '')


def test_ctrl_c_while_a_program_starts_again_waits_for_it() -> None:
    again = "from jax_resnet import signals; signals.end_at_once(); print('not reached')"
    done = run(
        'import os, signal, sys\nfrom jax_resnet import signals\nsignals.hold_back()\n'
        f'os.kill(os.getpid(), signal.SIGINT)\nos.execv(sys.executable, [sys.executable, "-c", {again!r}])'
    )
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, '', '')


def test_two_at_the_same_moment_end_the_process_without_a_traceback() -> None:
    at_once = (
        'both = {signal.SIGINT, signal.SIGTERM}; signal.pthread_sigmask(signal.SIG_BLOCK, both); '
        '[os.kill(os.getpid(), n) for n in both]; signal.pthread_sigmask(signal.SIG_UNBLOCK, both)'
    )
    program = HEEDING.format(number=0, then=at_once)
    done = run(program)
    assert done.returncode in (128 + signal.SIGINT, 128 + signal.SIGTERM) and 'ended' not in done.stdout
    assert 'Traceback' not in done.stderr and 'race' not in done.stderr
