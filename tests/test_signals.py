"""Signals: what a command does with one that comes when its run is about to end anyway."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_a_signal_that_the_run_did_not_come_to_heed_does_not_hold_the_process() -> None:
    """As when it comes after the last dispatch, or the run fails for another reason right after it."""
    program = (
        'import math, os, signal, time\n'
        'from jax_resnet import command_line, signals\n'
        'def run():\n'
        '    with signals.StopSignals() as stop, stop.waiting(math.inf):\n'
        '        os.kill(os.getpid(), signal.SIGTERM)\n'
        '        time.sleep(0.5)  # until the thread that listens has seen it\n'
        "print('ended', command_line.run(run))\n"
    )
    done = subprocess.run([sys.executable, '-c', program], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.stdout == 'ended 0\n'
