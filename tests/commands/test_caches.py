"""The command that shows what the cache takes."""

import os
from importlib.metadata import version
from pathlib import Path

import pytest

from jax_resnet.commands import command_line


def test_what_nothing_needs_is_removed_on_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    cache = tmp_path / 'cache' / 'jax_resnet'
    needed = ('cifar10.safetensors', 'checked-12ab.safetensors', f'compiled/jaxlib-{version("jaxlib")}/a-cache')
    left = ('download-77/x.tar.gz', 'mean-1.safetensors.77.draft', 'compiled/jaxlib-0.0.1/b-cache')
    for file in (*needed, *left):
        (cache / file).parent.mkdir(parents=True, exist_ok=True)
        (cache / file).write_bytes(bytes(2_000_000))
        os.utime(cache / file, (0, 0))
    os.utime(cache / 'download-77', (0, 0))
    (cache / 'new.draft').write_bytes(b'')
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))

    def run(*arguments: str) -> list[str]:
        assert command_line.main(['caches', *arguments]) == 0
        return capsys.readouterr().out.splitlines()

    assert run() == [
        f'       4.0 MB  decoded data, indices and results of checks, in {cache}',
        f'       2.0 MB  compiled programs of jaxlib-{version("jaxlib")}',
        '       2.0 MB  compiled programs of other versions (not needed)',
        '       4.0 MB  files of programs that were interrupted (not needed)',
        '       6.0 MB  can be removed by --remove',
    ]
    assert run('--remove')[-1] == '       6.0 MB  removed'
    assert all((cache / file).exists() for file in needed) and not any((cache / file).exists() for file in left)
    assert (cache / 'new.draft').exists() and run()[-1] == '       0.0 MB  can be removed by --remove'

    damaged = tmp_path / 'runs' / 'a' / 'seed0' / 'damaged-checkpoint-7'
    damaged.mkdir(parents=True)
    (damaged / 'array').write_bytes(bytes(3_000_000))
    (damaged.parent / 'config.json').write_bytes(bytes(1_000_000))
    runs = str(tmp_path / 'runs')
    assert f'       4.0 MB  1 runs in {runs}' in run(runs)
    assert run(runs, '--remove')[-1] == '       3.0 MB  removed' and (damaged.parent / 'config.json').exists()
