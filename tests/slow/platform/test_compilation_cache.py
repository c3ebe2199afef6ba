"""The compilation cache. Tests run in new processes, because a process has only one cache."""

from pathlib import Path

from tests.slow.processes import printed

PROGRAM = """
import logging, sys
import jax, jax.numpy as jnp
from jax_resnet.platform import compilation_cache
compilation_cache.LEAST_SECONDS = 0.0
compilation_cache.enable()
found = []
jax.monitoring.register_event_listener(lambda name, **_: found.append(name.rpartition('/')[2]))
jax.jit(lambda x: jnp.tanh(x) @ x)(jnp.ones((8, 8)))
print(found.count('cache_hits') > 0, jax.config.jax_compilation_cache_dir)
"""


def run(folder: Path, **environment: str) -> list[str]:
    """Compiles a function in a new process. Returns whether the cache had its program, and the cache's folder."""
    return printed('-W', 'error', '-c', PROGRAM, XDG_CACHE_HOME=str(folder), **environment).split()


def test_a_second_start_finds_the_program_and_incomplete_entries_are_removed(tmp_path: Path) -> None:
    hit, folder = run(tmp_path)
    assert hit == 'False' and Path(folder).is_relative_to(tmp_path / 'jax_resnet' / 'compiled')
    assert run(tmp_path)[0] == 'True'
    entries = list(Path(folder).glob('*-cache'))
    for entry, part in zip(entries, [0.0, *[0.5] * len(entries)], strict=False):  # as if a kill interrupted the writing
        entry.write_bytes(entry.read_bytes()[: int(part * entry.stat().st_size)])
        entry.with_name(entry.name.replace('-cache', '-atime')).unlink()
    assert run(tmp_path)[0] == 'False'
    assert run(tmp_path)[0] == 'True'


def test_a_folder_in_the_environment_is_used(tmp_path: Path) -> None:
    given = tmp_path / 'given'
    assert run(tmp_path, JAX_COMPILATION_CACHE_DIR=str(given))[1] == str(given)
    assert not (tmp_path / 'jax_resnet').exists()


def test_without_a_folder_there_is_no_cache(tmp_path: Path) -> None:
    (tmp_path / 'jax_resnet').write_text('in the way')
    assert run(tmp_path) == ['False', 'None']
