"""Symbolic links in a run folder lead nowhere: what is written does not go through them, and what is read neither."""

import json
from pathlib import Path

import pytest

from jax_resnet import files
from jax_resnet.errors import ConfigError
from jax_resnet.report import predictions
from jax_resnet.runs import run
from jax_resnet.runs.run_folder import RunFolder
from tests.conftest import whole_config
from tests.runs.conftest import LINE, SUMMARY


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    """A run folder, beside a file and a folder of somebody else's."""
    (tmp_path / 'theirs').mkdir()
    (tmp_path / 'theirs' / 'file').write_text('theirs')
    folder = RunFolder(tmp_path / 'run')
    folder.open(whole_config())
    return folder


def link(folder: RunFolder, name: str, to: str = '../theirs/file') -> None:
    (folder.path / name).unlink(missing_ok=True)
    (folder.path / name).symlink_to(to)


def is_theirs_untouched(folder: RunFolder) -> bool:
    theirs = folder.path.parent / 'theirs'
    return (theirs / 'file').read_text() == 'theirs' and [path.name for path in theirs.iterdir()] == ['file']


def test_drafts_and_files_take_the_place_of_links(folder: RunFolder) -> None:
    for name in ('summary.json', 'summary.json.draft', 'failure.txt.draft'):
        link(folder, name)
    folder.write_summary(SUMMARY)
    folder.write_failure('a reason')
    assert is_theirs_untouched(folder)
    assert not (folder.path / 'summary.json').is_symlink() and folder.summary() == SUMMARY
    assert folder.failure() == 'a reason'


def test_the_lock_is_no_link(folder: RunFolder) -> None:
    for to in ('../theirs/file', '../theirs/new'):
        link(folder, 'lock', to)
        with pytest.raises(ConfigError, match='lock: cannot be locked .a symbolic link'), folder.locked():
            pass
    assert is_theirs_untouched(folder)


def test_lines_are_not_added_through_a_link(folder: RunFolder) -> None:
    link(folder, 'metrics.jsonl')
    with pytest.raises(OSError, match='symbolic link'):
        folder.add_metrics(LINE)
    assert is_theirs_untouched(folder)


@pytest.mark.parametrize('name', ['checkpoints', 'tensorboard', 'profile'])
def test_folders_are_no_links(folder: RunFolder, name: str) -> None:
    link(folder, name, '../theirs')
    with pytest.raises(ConfigError, match=f'{name}: must be a folder; it is a symbolic link'):
        folder.open(whole_config())
    assert is_theirs_untouched(folder)


@pytest.mark.parametrize('name', ['config.json', 'summary.json', 'metrics.jsonl', 'failure.txt'])
def test_nothing_is_read_through_a_link(folder: RunFolder, name: str) -> None:
    for to in ('../theirs/file', '../none', '/dev/zero'):
        link(folder, name, to)
        with pytest.raises(ConfigError, match=f'{name} cannot be read .a symbolic link, which is not followed'):
            run.read(folder.path)


def test_drawings_that_are_links_are_no_part_of_a_report(folder: RunFolder) -> None:
    (folder.path / 'mine.svg').write_text('<svg/>')
    link(folder, 'theirs.svg')
    assert [path.name for path in predictions.drawings(run.read(folder.path))] == ['mine.svg']


def test_a_draft_does_not_stay_where_the_file_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / 'file').mkdir()
    with pytest.raises(OSError):
        files.write(tmp_path / 'file', json.dumps({}).encode())
    assert [path.name for path in tmp_path.iterdir()] == ['file']
