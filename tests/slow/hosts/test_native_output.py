"""The filter for the output of C++ libraries, and their abort, in new processes."""

import subprocess
import sys
import textwrap

BEGIN = """
import os, sys, time
from jax_resnet.hosts.native_output import NativeOutput
NativeOutput(75, lambda: 'process 0 (node01:1234) is missing')
"""


def run(body: str) -> subprocess.CompletedProcess:
    script = BEGIN + textwrap.dedent(body)
    return subprocess.run([sys.executable, '-c', script], capture_output=True, text=True, timeout=60)


def test_noise_is_dropped_and_other_lines_are_shown() -> None:
    done = run("""
        os.write(1, b'[Gloo] Rank 0 is connected to 1 peer ranks.\\n3\\nwhat follows it\\n')
        os.write(2, b'E1126 06:25:33.3 7 coordination_service_agent.cc:289] Polled an error\\nmore of it\\n')
        os.write(2, b'W1126 06:25:33.3 7 cuda.cc:1] a warning\\nmore of this\\n')
        print('a line of Python')
        print('an error of Python', file=sys.stderr)
        time.sleep(0.5)
    """)
    assert done.stdout == 'a line of Python\n'
    assert sorted(done.stderr.splitlines()) == [
        'W1126 06:25:33.3 7 cuda.cc:1] a warning',
        'an error of Python',
        'more of this',
        'what follows it',
    ]


def test_an_abort_without_the_coordinator_prints_one_line() -> None:
    done = run("""
        os.write(2, b'F1126 06:25 9 client.h:80] Terminating process because the JAX distributed service ...\\n@ 0x7f\\n')
        os.abort()
    """)
    assert (done.returncode, done.stdout) == (75, '')
    assert done.stderr == 'process 0 (node01:1234) is missing\n'


def test_other_aborts_are_not_changed() -> None:
    done = run("""
        os.write(2, b'F1126 06:25:33.3 9 nccl.cc:80] no such adapter\\n')
        os.abort()
    """)
    assert done.returncode == -6
    assert done.stderr.startswith('F1126 06:25:33.3 9 nccl.cc:80] no such adapter\n')
