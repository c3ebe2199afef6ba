"""All commands: errors of the system are one line, and outputs may support only some characters."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run(*words: str, **environment: str) -> subprocess.CompletedProcess:
    command = [sys.executable, '-m', f'jax_resnet.{words[0]}', *words[1:]]
    return subprocess.run(
        command, cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, timeout=120, errors='replace'
    )


@pytest.mark.parametrize('words', [['evaluate', 'a' * 300], ['study', f'--study={"a" * 300}']])
def test_a_name_that_is_too_long_is_one_line(words: list[str]) -> None:
    done = run(*words)
    assert done.returncode == 2 and done.stderr.startswith(f'error: {"a" * 300}')
    assert done.stderr.endswith(': File name too long\n') and len(done.stderr.splitlines()) == 1


@pytest.mark.skipif(not Path('/dev/full').exists(), reason='no /dev/full')
def test_a_full_output_is_one_line() -> None:
    with Path('/dev/full').open('w') as full:
        command = [sys.executable, '-m', 'jax_resnet.study']
        done = subprocess.run(command, cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (2, 'error: the output: No space left on device\n')


def test_an_output_that_supports_only_ascii() -> None:
    done = run('report', 'results/resnet20_digits', PYTHONIOENCODING='ascii')
    assert done.returncode == 0 and r'\xb1' in done.stdout and done.stderr == ''


def test_a_folder_of_studies_lists_the_studies_and_the_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / 'good.py').write_text('"""Is it good?\n\nMore."""\ndef get_study():\n    return {}\n')
    (tmp_path / 'broken.py').write_text('def get_study(:\n')
    (tmp_path / 'binary.py').write_bytes(b'\xff\x00\xfe')
    (tmp_path / 'folder.py').mkdir()
    (tmp_path / 'dangling.py').symlink_to('nowhere')
    os.mkfifo(tmp_path / 'pipe.py')
    done = run('study', f'--study={tmp_path}')
    lines = done.stdout.splitlines()
    assert done.returncode == 0 and f'  {tmp_path}/good.py: Is it good?' in lines
    assert sum('cannot be read' in line for line in lines) == 5 and len(lines) == 6


@pytest.mark.parametrize('returned', ['None', '[1]', '{}', "{'rows': None}", "{'rows': [1]}", 'exit(3)'])
def test_the_error_of_a_study_that_is_not_valid_is_one_line(tmp_path: Path, returned: str) -> None:
    (tmp_path / 'odd.py').write_text(f'def get_study():\n    return {returned}\n')
    done = run('study', f'--study={tmp_path}/odd.py', '--list')
    assert done.returncode == 2 and done.stderr.startswith(f'error: --study={tmp_path}/odd.py: ')
    assert len(done.stderr.splitlines()) == 1
