import struct
from pathlib import Path

from tensorboardX.proto.event_pb2 import Event

from jax_resnet.runs.events import Events

LINES = [{'step': 5 * i, 'epoch': float(i), 'test_error': 50.0 / i, 'images_per_second': None} for i in (1, 2, 3)]


def read(folder: Path) -> list[tuple[int, str, float]]:
    """(step, name, value) of each scalar, by the format of TFRecord: length, its checksum, content, its checksum."""
    (path,) = folder.iterdir()
    content, scalars = path.read_bytes(), []
    while content:
        (length,) = struct.unpack('<Q', content[:8])
        event = Event.FromString(content[12 : 12 + length])
        scalars += [(event.step, value.tag, value.simple_value) for value in event.summary.value]
        content = content[16 + length :]
    return scalars


def expected(count: int) -> list[tuple[int, str, float]]:
    return [(line['step'], name, line[name]) for line in LINES[:count] for name in ('epoch', 'test_error')]


def rounded(scalars: list[tuple[int, str, float]]) -> list[tuple[int, str, float]]:
    return [(step, name, round(value, 4)) for step, name, value in scalars]


def test_what_was_added_is_on_disk_at_once(tmp_path: Path) -> None:
    events = Events(tmp_path / 'tensorboard', LINES[:1])
    assert rounded(read(tmp_path / 'tensorboard')) == rounded(expected(1))
    events.add(LINES[1])
    assert rounded(read(tmp_path / 'tensorboard')) == rounded(expected(2))
    events.close()


def test_a_new_start_draws_what_metrics_have_and_a_kill_lost(tmp_path: Path) -> None:
    Events(tmp_path / 'tensorboard', LINES[:1]).close()
    events = Events(tmp_path / 'tensorboard', LINES[:2])
    events.add(LINES[2])
    events.close()
    assert rounded(read(tmp_path / 'tensorboard')) == rounded(expected(3))
