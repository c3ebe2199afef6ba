import errno
import itertools
import random
import re
import time
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax.traverse_util import flatten_dict, unflatten_dict
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jax_resnet import models
from jax_resnet.errors import ConfigError, DataError
from jax_resnet.training import state as states
from jax_resnet.training.checkpoints import Checkpoints, Damaged
from tests.conftest import assert_equal_trees, of_damage


def everywhere(devices: int) -> NamedSharding:
    return NamedSharding(Mesh(np.array(jax.local_devices()[:devices]), ('data',)), PartitionSpec())


@pytest.fixture(scope='module')
def state() -> states.TrainState:
    net = models.scaled_resnet((1,), width=64, windows=(3,), shortcut_windows=(3,), stacked=True)
    return jax.jit(lambda: states.create(net, optax.sgd(0.1, 0.9), jnp.zeros((1, 8, 8, 3)), jax.random.key(0)))()


@pytest.fixture(params=[False, True], ids=['sync', 'background'])
def like(
    request: pytest.FixtureRequest, state: states.TrainState, monkeypatch: pytest.MonkeyPatch
) -> states.TrainState | None:
    """The argument with which `Checkpoints` saves at once, or in the background."""
    monkeypatch.setattr('jax_resnet.training.checkpoints.LARGE_BYTES', 0)
    return state if request.param else None


def test_saved_and_restored_to_the_last_bit(
    tmp_path: Path, state: states.TrainState, like: states.TrainState | None
) -> None:
    checkpoints = Checkpoints(tmp_path, like=like)
    assert checkpoints.steps() == []
    checkpoints.save(state.replace(step=jnp.int32(7)), seconds=12.5)
    checkpoints.close()
    again = Checkpoints(tmp_path)
    assert again.steps() == [7]
    sharding = everywhere(len(jax.local_devices()))
    restored, seconds = again.restore(7, jax.eval_shape(lambda: state), sharding)
    again.close()
    assert seconds == 12.5 and isinstance(restored, states.TrainState)
    assert_equal_trees(restored, state.replace(step=jnp.int32(7)))
    assert restored.params['head']['bias'].sharding == sharding


def test_the_last_two_and_selected_checkpoints_are_kept(
    tmp_path: Path, state: states.TrainState, like: states.TrainState | None
) -> None:
    checkpoints = Checkpoints(tmp_path, keep=lambda step: step % 3 == 0, like=like)
    for step in range(1, 9):
        checkpoints.save(state.replace(step=jnp.int32(step)), seconds=0)
    checkpoints.close()
    assert Checkpoints(tmp_path).steps() == [3, 6, 7, 8]


@pytest.mark.parametrize(
    ('group', 'layer', 'value', 'problem'),
    [
        ('params', 'head/bias', jnp.nan, 'NaN or infinite numbers; weights must be finite'),
        ('batch_stats', 'stem/norm/var', -1, 'negative numbers; a variance must be 0 or more'),
    ],
)
def test_unsound_weights_are_an_error_that_names_the_array(
    tmp_path: Path, state: states.TrainState, group: str, layer: str, value: float, problem: str
) -> None:
    arrays = flatten_dict(state.variables[group], sep='/')
    arrays[layer] = arrays[layer].at[0].set(value)
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(state, seconds=0)
    unsound = state.replace(step=jnp.int32(1), **{group: unflatten_dict(arrays, sep='/')})
    checkpoints.save(unsound, seconds=0)
    with pytest.raises(DataError, match=f'^{tmp_path}/1: {group}/{layer} has {problem}$'):
        checkpoints.restore_latest(state, everywhere(1))  # not the older checkpoint instead


def test_a_step_is_saved_once(tmp_path: Path, state: states.TrainState) -> None:
    checkpoints = Checkpoints(tmp_path)
    for seconds in (1.0, 2.0):
        checkpoints.save(state.replace(step=jnp.int32(1)), seconds)
    checkpoints.close()
    assert Checkpoints(tmp_path).restore(1, state, everywhere(1))[1] == 1.0


def test_what_is_being_saved_can_be_donated(
    tmp_path: Path, state: states.TrainState, like: states.TrainState | None
) -> None:
    """Training continues in the same memory, also while the checkpoint is written in the background."""
    update = jax.jit(lambda s: s.replace(params=jax.tree.map(lambda x: x + 1, s.params)), donate_argnums=0)
    training = update(jax.tree.map(jnp.copy, state).replace(step=jnp.int32(5)))
    before = jax.tree.map(lambda x: np.array(x, copy=True), training)
    checkpoints = Checkpoints(tmp_path, like=like)
    checkpoints.save(training, seconds=0)
    for _ in range(100):
        training = update(training)
    checkpoints.close()
    assert_equal_trees(Checkpoints(tmp_path).restore(5, jax.eval_shape(lambda: state), everywhere(1))[0], before)


def truncate(content: bytes) -> bytes:
    return content[: len(content) // 2]


def flip_a_bit(content: bytes) -> bytes:
    position = random.Random(0).randrange(len(content))
    return content[:position] + bytes([content[position] ^ 4]) + content[position + 1 :]


def empty(content: bytes) -> bytes:
    return b''


def save_two(folder: Path, state: states.TrainState) -> Checkpoints:
    checkpoints = Checkpoints(folder)
    for step in (3, 6):
        checkpoints.save(state.replace(step=jnp.int32(step)), seconds=step)
    checkpoints.close()
    return Checkpoints(folder)


def largest_file(folder: Path) -> Path:
    """Returns the file with the arrays."""
    return max((path for path in folder.rglob('*') if path.is_file()), key=lambda path: path.stat().st_size)


@of_damage
@pytest.mark.parametrize('damage', [truncate, flip_a_bit, empty])
@pytest.mark.parametrize('file', ['state', 'about/metadata'])
def test_the_one_before_a_damaged_one_is_used(
    tmp_path: Path, state: states.TrainState, caplog: pytest.LogCaptureFixture, damage: Callable, file: str
) -> None:
    checkpoints = save_two(tmp_path / 'checkpoints', state)
    path = tmp_path / 'checkpoints' / '6' / file
    path = largest_file(path) if path.is_dir() else path
    path.write_bytes(damage(path.read_bytes()))
    like = jax.eval_shape(lambda: state)
    for reader in (Checkpoints(tmp_path / 'checkpoints', read_only=True), checkpoints):
        caplog.clear()
        restored, seconds = reader.restore_latest(like, everywhere(1))
        (message,) = (record.message for record in caplog.records if record.name.startswith('jax_resnet'))
        assert re.fullmatch(r'.*checkpoints/6 is damaged: .*; the checkpoint of step 3 is used', message)
        assert seconds == 3
        assert_equal_trees(restored, state.replace(step=jnp.int32(3)))
    # The damaged checkpoint is renamed, not deleted. Its step can be saved again.
    assert checkpoints.steps() == [3] and (tmp_path / 'damaged-checkpoint-6').is_dir()
    checkpoints.save(state.replace(step=jnp.int32(6)), seconds=7)
    checkpoints.close()
    assert Checkpoints(tmp_path / 'checkpoints').restore_latest(like, everywhere(1))[1] == 7


@pytest.mark.parametrize(
    ('error', 'kind', 'message'),
    [
        (RuntimeError('RESOURCE_EXHAUSTED: Out of memory'), ConfigError, 'out of memory'),
        (MemoryError(), ConfigError, 'out of memory'),
        (OSError(errno.EMFILE, 'Too many open files'), DataError, '/7: cannot be read: Too many open files'),
        (ValueError('RESOURCE_EXHAUSTED: Too many open files'), DataError, '/7: cannot be read: RESOURCE_EXHAUSTED'),
        (
            ValueError("PERMISSION_DENIED: Error opening file [os_error_code='13']"),
            DataError,
            '/7: cannot be read: PERMISSION_DENIED',
        ),
    ],
)
def test_what_is_no_damage_leaves_the_checkpoint(
    tmp_path: Path,
    state: states.TrainState,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    kind: type[Exception],
    message: str,
) -> None:
    checkpoints = Checkpoints(tmp_path / 'checkpoints')
    for step in (6, 7):
        checkpoints.save(state.replace(step=jnp.int32(step)), seconds=0)

    def fails(*_: object) -> None:
        raise error

    monkeypatch.setattr(checkpoints, '_restore_state', fails)
    with pytest.raises(kind, match=message):
        checkpoints.restore_latest(jax.eval_shape(lambda: state), everywhere(1))
    assert [path.name for path in tmp_path.iterdir()] == ['checkpoints'] and checkpoints.steps() == [6, 7]
    checkpoints.close()


@of_damage
def test_every_flipped_bit_is_detected_or_harmless(tmp_path: Path, state: states.TrainState) -> None:
    """After any flipped bit, either the saved state is restored, or the checkpoint before is used."""
    draw, like = random.Random(1), jax.eval_shape(lambda: state)
    save_two(tmp_path, state).close()
    files = sorted(path for path in (tmp_path / '6').rglob('*') if path.stat().st_size and path.is_file())
    for path in draw.choices(files, k=8):
        content, position = path.read_bytes(), draw.randrange(path.stat().st_size)
        flipped = content[position] ^ (1 << draw.randrange(8))
        path.write_bytes(content[:position] + bytes([flipped]) + content[position + 1 :])
        restored, _ = Checkpoints(tmp_path, read_only=True).restore_latest(like, everywhere(1))
        assert_equal_trees(restored, state.replace(step=restored.step))
        assert int(restored.step) in (3, 6)
        path.write_bytes(content)


def test_an_incomplete_checkpoint_does_not_count(tmp_path: Path, state: states.TrainState) -> None:
    save_two(tmp_path, state).close()
    (tmp_path / '6').rename(tmp_path / '9.orbax-checkpoint-tmp')
    assert Checkpoints(tmp_path).steps() == [3]


@of_damage
def test_if_all_are_damaged_none_is_used_and_none_is_renamed(tmp_path: Path, state: states.TrainState) -> None:
    checkpoints = save_two(tmp_path, state)
    for step in (3, 6):
        largest_file(tmp_path / str(step)).write_bytes(b'')
    with pytest.raises(
        Damaged, match=r'no checkpoint can be used \(.*/6 is damaged: .*/3 is damaged: .*\): restore one'
    ) as error:
        checkpoints.restore_latest(jax.eval_shape(lambda: state), everywhere(1))
    assert '\n' not in str(error.value) and checkpoints.steps() == [3, 6]


def test_a_clock_that_jumps_by_years_does_not_prevent_saving(
    tmp_path: Path, state: states.TrainState, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = itertools.cycle([4e9, 0.0, 1e9])
    monkeypatch.setattr(time, 'time', lambda: next(times))
    save_two(tmp_path, state).close()
    assert Checkpoints(tmp_path, read_only=True).restore_latest(jax.eval_shape(lambda: state), everywhere(1))[1] == 6
