"""The compilation cache. Tests run in new processes, because a process has only one cache."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from jax_resnet.backend import compilation_cache

ROOT = Path(__file__).parents[3]
PROGRAM = """
import logging, sys
import jax, jax.numpy as jnp
from jax_resnet.backend import compilation_cache
compilation_cache.LEAST_SECONDS = 0.0
compilation_cache.enable()
found = []
jax.monitoring.register_event_listener(lambda name, **_: found.append(name.rpartition('/')[2]))
jax.jit(lambda x: jnp.tanh(x) @ x)(jnp.ones((8, 8)))
print(found.count('cache_hits') > 0, jax.config.jax_compilation_cache_dir)
"""


def run(folder: Path, **environment: str) -> list[str]:
    variables = {**os.environ, 'XDG_CACHE_HOME': str(folder), **environment}
    command = [sys.executable, '-W', 'error', '-c', PROGRAM]
    return subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, check=True).stdout.split()


def test_a_second_start_finds_the_program_and_incomplete_entries_are_removed(tmp_path: Path) -> None:
    hit, folder = run(tmp_path)
    assert hit == 'False' and Path(folder).is_relative_to(tmp_path / 'jax_resnet' / 'compiled')
    assert run(tmp_path)[0] == 'True'
    entries = list(Path(folder).glob('*-cache'))
    for entry, part in zip(entries, [0.0, *[0.5] * len(entries)], strict=False):
        entry.write_bytes(entry.read_bytes()[: int(part * entry.stat().st_size)])
    compilation_cache._tidy(Path(folder))
    assert all(entry.exists() for entry in entries)  # another process may still write them
    for entry in [*entries, Path(folder, 'looked-at')]:  # as if it were two minutes later
        os.utime(entry, (0, time.time() - 2 * compilation_cache.WRITE_SECONDS))
    assert run(tmp_path)[0] == 'False'
    assert run(tmp_path)[0] == 'True'


def test_the_oldest_entries_are_removed_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compilation_cache, 'MOST_BYTES', 25)
    for age, name in enumerate(['c', 'a', 'b'], start=1):
        (tmp_path / f'{name}-cache').write_bytes(bytes(10))
        os.utime(tmp_path / f'{name}-cache', (1000 - age, 1000 - age))
    compilation_cache._tidy(tmp_path)
    assert sorted(path.name for path in tmp_path.glob('*-cache')) == ['a-cache', 'c-cache']


def test_a_folder_in_the_environment_is_used(tmp_path: Path) -> None:
    given = tmp_path / 'given'
    assert run(tmp_path, JAX_COMPILATION_CACHE_DIR=str(given))[1] == str(given)
    assert not (tmp_path / 'jax_resnet').exists()


def test_without_a_folder_there_is_no_cache(tmp_path: Path) -> None:
    (tmp_path / 'jax_resnet').write_text('in the way')
    assert run(tmp_path) == ['False', 'None']
