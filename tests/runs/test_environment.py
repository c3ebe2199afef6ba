"""The description of a run's environment."""

import subprocess
from pathlib import Path

import pytest

from jax_resnet.runs import environment


def git(folder: Path, *words: str) -> str:
    identity = ('-c', 'user.name=a', '-c', 'user.email=a@b')
    return subprocess.check_output(('git', *identity, *words), cwd=folder, stderr=subprocess.DEVNULL, text=True).strip()


def test_the_git_commit_is_that_of_a_checkout_with_this_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('GIT_CEILING_DIRECTORIES', str(tmp_path.parent))
    file = tmp_path / 'environment.py'
    file.touch()
    monkeypatch.setattr(environment, '__file__', str(file))
    assert environment.environment({})['git_commit'] is None
    git(tmp_path, 'init')
    git(tmp_path, 'commit', '--allow-empty', '--message=first')
    assert environment.environment({})['git_commit'] is None, 'a repository that contains, for example, site-packages'
    git(tmp_path, 'add', '.')
    git(tmp_path, 'commit', '--message=second')
    commit = environment.environment({})['git_commit']
    assert commit == git(tmp_path, 'rev-parse', 'HEAD') and len(commit) == 40
    file.write_text('changed')
    assert environment.environment({})['git_commit'] == f'{commit}+'
