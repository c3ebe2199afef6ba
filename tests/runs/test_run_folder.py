import json
from pathlib import Path

import pytest

from jax_resnet.config.loading import change
from jax_resnet.errors import ConfigError
from jax_resnet.runs.environment import environment
from jax_resnet.runs.run_folder import RunFolder
from tests.conftest import whole_config
from tests.runs.conftest import LINE


def test_another_config_in_the_same_folder_is_an_error_that_shows_the_difference(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / 'new' / 'run')
    folder.open(whole_config())
    assert folder.config() == whole_config()
    folder.open(whole_config(**{'dataset.data_dir': 'elsewhere', 'parallel.devices': 4, 'log_every': '7 steps'}))
    with pytest.raises(
        ConfigError, match='config.batch_size is 32 in the existing run, 64 in this one; config.seed is 0 in'
    ):
        folder.open(whole_config(**{'batch_size': 64, 'seed': 1}))


def test_a_run_says_where_it_comes_from(tmp_path: Path) -> None:
    folder, config = RunFolder(tmp_path / 'own'), whole_config()
    folder.open(config)
    assert folder.origin() == {'file': None, 'changes': {}, 'fields': config}
    folder, changes = RunFolder(tmp_path / 'run'), {'schedule.drop_at': ('6 steps',)}
    folder.open(config, 'configs/lab.py:wide', changes)
    folder.open(change(config, {'log_every': '9 steps'}))  # continues it
    assert folder.origin() == {'file': 'configs/lab.py:wide', 'changes': changes, 'fields': config}


def test_two_programs_in_one_folder(tmp_path: Path) -> None:
    first, second = RunFolder(tmp_path), RunFolder(tmp_path)
    with first.locked(), pytest.raises(ConfigError, match='another program trains in this folder'), second.locked():
        pass
    with second.locked():
        assert (tmp_path / 'lock').exists()


def test_a_path_that_orbax_takes_for_a_pattern_is_refused(tmp_path: Path) -> None:
    """With brackets in it, a checkpoint lacked its root, and could not be read."""
    with pytest.raises(ConfigError, match=r'train\[:50\]: the path of a run must have none of \* \? \[ \] '):
        RunFolder(tmp_path / 'train[:50]').open(whole_config())
    assert not list(tmp_path.iterdir())


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / 'file').touch()
    with pytest.raises(ConfigError, match='must be a folder'):
        RunFolder(tmp_path / 'file').open(whole_config())
    with pytest.raises(ConfigError, match='must be a run folder; it has no config.json'):
        RunFolder(tmp_path).config()


def test_metrics_survive_a_line_cut_short(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    assert folder.metrics() == []
    for step in (5, 10, 15):
        folder.add_metrics(LINE | {'step': step})
    with (tmp_path / 'metrics.jsonl').open('a') as file:
        file.write('{"step": 20, "test_')
    assert [line['step'] for line in folder.metrics()] == [5, 10, 15]
    folder.cut_metrics(10)
    folder.add_metrics(LINE | {'step': 15, 'test_error': 2.5})
    lines = (tmp_path / 'metrics.jsonl').read_text().splitlines()
    assert [json.loads(line)['step'] for line in lines] == [5, 10, 15]


def test_starts_are_recorded(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    for step in (0, 40):
        folder.record_start(step, environment({}))
    starts = json.loads((tmp_path / 'environment.json').read_text())
    assert [start['step'] for start in starts] == [0, 40]
    assert {'python', 'jax', 'jaxlib', 'flax', 'optax'} <= starts[0]['versions'].keys() and starts[0]['device']
