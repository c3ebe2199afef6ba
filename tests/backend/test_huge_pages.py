"""In processes of their own: the C library reads the wish at their start."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from jax_resnet.backend import huge_pages

ROOT = Path(__file__).parents[2]
PROGRAM = """
import os, sys
from jax_resnet.backend import huge_pages
huge_pages.restart()
disabled = lambda: next(line for line in open('/proc/self/status') if line.startswith('THP_enabled')).split()[1]
with huge_pages.suspended():
    meanwhile = disabled()
print(os.environ['GLIBC_TUNABLES'], sys.argv[1:], meanwhile, disabled())
"""


def run(tunables: str) -> str:
    environment = {**os.environ, 'GLIBC_TUNABLES': tunables}
    command = [sys.executable, '-c', PROGRAM, 'an argument', '--flag=1']
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True).stdout.strip()


def test_a_program_starts_again_once_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv('GLIBC_TUNABLES', raising=False)
    if not huge_pages._would_help():
        pytest.skip('this machine gives no huge pages on request')
    before, after = 'glibc.malloc.hugetlb=1', "['an argument', '--flag=1'] 0 1"
    assert run('glibc.malloc.hugetlb=1') == f'{before} {after}'
    before += f':{huge_pages._KEPT}'
    assert run('') == f'{before} {after}'
    assert run('glibc.malloc.arena_max=3') == f'{before}:glibc.malloc.arena_max=3 {after}'


def test_a_wish_against_them_is_heeded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('GLIBC_TUNABLES', 'glibc.malloc.hugetlb=0')
    assert not huge_pages._would_help()
