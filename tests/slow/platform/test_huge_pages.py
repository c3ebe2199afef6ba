"""Huge pages. Tests run in new processes, because the C library reads GLIBC_TUNABLES when a process starts."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from jax_resnet.platform import huge_pages

ROOT = Path(__file__).parents[3]
PROGRAM = """
import os, sys
from jax_resnet.platform import huge_pages
huge_pages.restart()
enabled = lambda: next(line for line in open('/proc/self/status') if line.startswith('THP_enabled')).split()[1]
with huge_pages.suspended():
    inside = enabled()
print(os.environ['GLIBC_TUNABLES'], sys.argv[1:], inside, enabled())
"""


def run(program: Path, tunables: str) -> str:
    environment = {**os.environ, 'GLIBC_TUNABLES': tunables, 'PYTHONPATH': str(ROOT)}
    command = [sys.executable, str(program), 'an argument', '--flag=1']
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.strip()


def test_a_program_restarts_once_with_the_same_arguments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv('GLIBC_TUNABLES', raising=False)
    if not huge_pages._would_help():
        pytest.skip('this machine gives no huge pages on request')
    program = tmp_path / 'program.py'
    program.write_text(PROGRAM)
    tunables, rest = 'glibc.malloc.hugetlb=1', "['an argument', '--flag=1'] 0 1"
    assert run(program, 'glibc.malloc.hugetlb=1') == f'{tunables} {rest}'
    tunables += f':{huge_pages._KEEP_MEMORY}'
    assert run(program, '') == f'{tunables} {rest}'
    assert run(program, 'glibc.malloc.arena_max=3') == f'{tunables}:glibc.malloc.arena_max=3 {rest}'


def test_a_program_that_runs_ours_does_its_work_once(tmp_path: Path) -> None:
    program, outer = tmp_path / 'program.py', tmp_path / 'outer.py'
    program.write_text(PROGRAM)
    outer.write_text(f"import runpy\nprint('work')\nrunpy.run_path({str(program)!r}, run_name='__main__')")
    begun, rest = run(outer, '').splitlines()
    assert begun == 'work' and 'hugetlb' not in rest


def test_the_environment_can_turn_huge_pages_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('GLIBC_TUNABLES', 'glibc.malloc.hugetlb=0')
    assert not huge_pages._would_help()
