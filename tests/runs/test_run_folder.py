import json
import os
import struct
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from tensorboardX.proto.event_pb2 import Event

from jax_resnet.config.loading import change
from jax_resnet.errors import ConfigError
from jax_resnet.runs.environment import describe_devices, environment
from jax_resnet.runs.run_folder import RunFolder
from tests.conftest import whole_config
from tests.runs.conftest import LINE


def test_another_config_in_the_same_folder_is_an_error_that_shows_the_difference(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / 'new' / 'run')
    folder.open(whole_config(seed=3))  # without a step or a line of metrics, another run may take its place
    folder.record_start(0, environment({}))
    folder.open(whole_config())
    assert folder.starts() == []
    folder.add_metrics(LINE)
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
    folder.add_metrics(LINE)
    folder.open(change(config, {'log_every': '9 steps'}))  # continues it
    assert folder.origin() == {'file': 'configs/lab.py:wide', 'changes': changes, 'fields': config}


def test_pictures_that_differ_from_those_of_the_run_are_counted_and_named(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    pictures = np.array([b'train/a/0.jpg 10', b'train/a/1.jpg 11', b'train/b/x y\n.jpg 12', b'validation/a/0.jpg 9'])
    assert folder.different_pictures(pictures) == ''  # there is no run
    folder.open(whole_config())
    folder.write_pictures(pictures[:1])
    folder.write_pictures(pictures)
    assert folder.different_pictures(pictures) == folder.different_pictures(np.zeros(0, np.bytes_)) == ''
    assert folder.different_pictures(np.append(pictures[:3], b'test/a/0.jpg 8')) == ''  # of the same splits
    other = np.array([b'train/a/1.jpg 12', b'train/b/x y\n.jpg 12', *(b'train/c/%d 1' % i for i in range(1000))])
    assert folder.different_pictures(other) == (
        '1,000 added (train/c/0, train/c/1, train/c/10), 1 missing (train/a/0.jpg), 1 of another size (train/a/1.jpg)'
    )
    folder.add_metrics(LINE)
    folder.write_pictures(other)  # the run has begun: its record stays until it is removed
    assert folder.different_pictures(pictures) == ''


def test_two_programs_in_one_folder(tmp_path: Path) -> None:
    first, second = RunFolder(tmp_path), RunFolder(tmp_path)
    with first.locked(), pytest.raises(ConfigError, match='another program trains in this folder'), second.locked():
        pass
    with second.locked():
        pass


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


def events(folder: Path) -> list[tuple[int, str, float]]:
    """(step, name, value) of each scalar, by the format of TFRecord: length, its checksum, content, its checksum."""
    (path,) = folder.iterdir()
    content, scalars = path.read_bytes(), []
    while content:
        (length,) = struct.unpack('<Q', content[:8])
        event = Event.FromString(content[12 : 12 + length])
        scalars += [(event.step, value.tag, round(value.simple_value, 4)) for value in event.summary.value]
        content = content[16 + length :]
    return scalars


def test_metrics_survive_a_line_cut_short_and_tensorboard_shows_them(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    assert folder.metrics() == []
    for step in (5, 10, 15):
        folder.add_metrics(LINE | {'step': step})
    with (tmp_path / 'metrics.jsonl').open('a') as file:
        file.write('{"step": 20, "test_')
    assert [line['step'] for line in folder.metrics()] == [5, 10, 15]
    folder.cut_metrics(10)
    folder.add_metrics(LINE | {'step': 15, 'test_error': 2.5, 'images_per_second': None})
    lines = [json.loads(line) for line in (tmp_path / 'metrics.jsonl').read_text().splitlines()]
    assert [line['step'] for line in lines] == [5, 10, 15]
    assert events(folder.tensorboard) == [
        (line['step'], name, round(value, 4))
        for line in lines
        for name, value in line.items()
        if name != 'step' and value is not None
    ]


def test_starts_are_recorded(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    for step in (0, 40):
        folder.record_start(step, environment({}))
    first, second = folder.starts()
    assert (first['step'], second['step']) == (0, 40)
    assert {'python', 'jax', 'jaxlib', 'flax', 'optax', 'Pillow'} <= first['versions'].keys() and first['device']


def test_devices_name_their_processes_and_the_cores_of_this_one() -> None:
    cpus = [SimpleNamespace(platform='cpu', device_kind='cpu', process_index=k) for k in (0, 1)]
    cores = len(os.sched_getaffinity(0))
    assert describe_devices(cpus) == f'2 x cpu ({cores} cores) in 2 processes'
    assert describe_devices(cpus[:1]) == f'1 x cpu ({cores} cores)'
