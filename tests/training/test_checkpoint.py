import random
import re
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jax_resnet import models
from jax_resnet.config.fields import Config
from jax_resnet.errors import DataError, OutOfMemory
from jax_resnet.training import state as states
from jax_resnet.training.checkpoint import Checkpoints, Damaged
from tests.conftest import assert_equal_trees, of_damage


def everywhere(devices: int) -> NamedSharding:
    return NamedSharding(Mesh(np.array(jax.local_devices()[:devices]), ('data',)), PartitionSpec())


@pytest.fixture(scope='module')
def state() -> states.TrainState:
    net = models.scaled_resnet((1,), width=64, windows=(3,), shortcut_windows=(3,), stacked=True)
    return jax.jit(lambda: states.create(Config(), net, (8, 8, 3), jax.random.key(0)))()


def test_saved_and_restored_to_the_last_bit(tmp_path: Path, state: states.TrainState) -> None:
    checkpoints = Checkpoints(tmp_path)
    assert checkpoints.steps() == []
    checkpoints.save(state.replace(step=jnp.int32(7)), seconds={'other': 12.5})
    checkpoints.close()
    again = Checkpoints(tmp_path)
    assert again.steps() == [7]
    sharding = everywhere(len(jax.local_devices()))
    restored, seconds = again.restore(jax.eval_shape(lambda: state), sharding)
    again.close()
    assert seconds == {'other': 12.5} and isinstance(restored, states.TrainState)
    assert_equal_trees(restored, state.replace(step=jnp.int32(7)))
    assert restored.params['head']['bias'].sharding == sharding


def test_the_last_two_and_selected_checkpoints_are_kept(tmp_path: Path, state: states.TrainState) -> None:
    checkpoints = Checkpoints(tmp_path, keep=lambda step: step % 3 == 0)
    for step in range(1, 9):
        checkpoints.save(state.replace(step=jnp.int32(step)), seconds={})
    checkpoints.close()
    assert Checkpoints(tmp_path).steps() == [3, 6, 7, 8]


def test_what_is_being_saved_can_be_donated(tmp_path: Path, state: states.TrainState) -> None:
    """Training continues in the same memory, also while the checkpoint is written in the background."""
    update = jax.jit(lambda s: s.replace(params=jax.tree.map(lambda x: x + 1, s.params)), donate_argnums=0)
    training = update(jax.tree.map(jnp.copy, state).replace(step=jnp.int32(5)))
    before = jax.tree.map(lambda x: np.array(x, copy=True), training)
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(training, seconds={})
    for _ in range(100):
        training = update(training)
    checkpoints.close()
    assert_equal_trees(Checkpoints(tmp_path).restore(jax.eval_shape(lambda: state), everywhere(1))[0], before)


def flipped(content: bytes, draw: random.Random) -> bytes:
    position = draw.randrange(len(content))
    return content[:position] + bytes([content[position] ^ (1 << draw.randrange(8))]) + content[position + 1 :]


def cut(content: bytes, draw: random.Random) -> bytes:
    return content[: draw.randrange(len(content))]


def save_two(folder: Path, state: states.TrainState) -> Checkpoints:
    checkpoints = Checkpoints(folder)
    for step in (3, 6):
        checkpoints.save(state.replace(step=jnp.int32(step)), seconds={'other': step})
    checkpoints.close()
    return Checkpoints(folder)


def empty_arrays(part: Path) -> None:
    """Empties every file of arrays of a part of a checkpoint."""
    for path in part.rglob('d/*'):
        path.write_bytes(b'')


@of_damage
def test_the_one_before_a_damaged_one_is_used(
    tmp_path: Path, state: states.TrainState, caplog: pytest.LogCaptureFixture
) -> None:
    checkpoints = save_two(tmp_path / 'checkpoints', state)
    empty_arrays(tmp_path / 'checkpoints' / '6' / 'others')
    like = jax.eval_shape(lambda: state)
    for reader in (Checkpoints(tmp_path / 'checkpoints', read_only=True), checkpoints):
        caplog.clear()
        restored, seconds = reader.restore(like, everywhere(1))
        (message,) = (record.message for record in caplog.records if record.name.startswith('jax_resnet'))
        assert re.fullmatch(r'.*checkpoints/6 is damaged: .*; the checkpoint of step 3 is used', message)
        assert seconds == {'other': 3}
        assert_equal_trees(restored, state.replace(step=jnp.int32(3)))
    # The damaged checkpoint is renamed, not deleted. Its step can be saved again.
    assert checkpoints.steps() == [3] and (tmp_path / 'damaged-checkpoint-6').is_dir()
    checkpoints.save(state.replace(step=jnp.int32(6)), seconds={'other': 7})
    checkpoints.close()
    assert Checkpoints(tmp_path / 'checkpoints').restore(like, everywhere(1))[1] == {'other': 7}


def test_a_lack_of_memory_is_no_damage(
    tmp_path: Path, state: states.TrainState, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoints = save_two(tmp_path / 'checkpoints', state)

    def fails(*_: object, **__: object) -> None:
        raise RuntimeError('RESOURCE_EXHAUSTED: Out of memory')

    monkeypatch.setattr(checkpoints._manager, 'restore', fails)
    with pytest.raises(OutOfMemory, match='out of memory'):
        checkpoints.restore(jax.eval_shape(lambda: state), everywhere(1))
    assert [path.name for path in tmp_path.iterdir()] == ['checkpoints'] and checkpoints.steps() == [3, 6]


def test_what_the_system_refuses_to_read_is_no_damage(tmp_path: Path, state: states.TrainState) -> None:
    checkpoints, like = save_two(tmp_path / 'checkpoints', state), jax.eval_shape(lambda: state)
    manifest = tmp_path / 'checkpoints' / '6' / 'variables' / 'manifest.ocdbt'
    manifest.rename(tmp_path / 'moved')
    manifest.symlink_to(manifest)  # an error for every user, also for root
    with pytest.raises(DataError, match=r'checkpoints/6: cannot be read \(Too many levels of symbolic links\)'):
        checkpoints.restore(like, everywhere(1))
    (tmp_path / 'moved').replace(manifest)
    assert not list(tmp_path.glob('damaged*')) and checkpoints.steps() == [3, 6]
    assert int(checkpoints.restore(like, everywhere(1))[0].step) == 6


@of_damage
def test_the_variables_are_read_without_the_rest(tmp_path: Path, state: states.TrainState) -> None:
    """Whoever predicts needs no momentum: neither its shapes nor its arrays, which may even be damaged."""
    save_two(tmp_path, state).close()
    empty_arrays(tmp_path / '6' / 'others')
    reader, like = Checkpoints(tmp_path, read_only=True), jax.eval_shape(lambda: state)
    assert_equal_trees(reader.variables(like.variables, everywhere(1)), dict(state.variables))
    assert int(reader.restore(like, everywhere(1))[0].step) == 3
    empty_arrays(tmp_path / '3' / 'others')
    with pytest.raises(Damaged, match=r'no checkpoint can be used .*/6 is damaged: .*/3 is damaged: .*: rest') as error:
        Checkpoints(tmp_path).restore(like, everywhere(1))
    assert '\n' not in str(error.value) and Checkpoints(tmp_path).steps() == [3, 6]  # none is renamed


@of_damage
@pytest.mark.parametrize('damage', [flipped, cut, None])
def test_every_damage_is_noticed_or_harmless(tmp_path: Path, state: states.TrainState, damage: Any) -> None:
    """After any flipped bit, cut or missing file, the saved state is restored, or the checkpoint before is used."""
    draw, like = random.Random(1), jax.eval_shape(lambda: state)
    save_two(tmp_path, state).close()
    files = sorted(path for path in (tmp_path / '6').rglob('*') if path.stat().st_size and path.is_file())
    for path in draw.choices(files, k=4):
        content = path.read_bytes()
        if damage is None:
            path.unlink()
        else:
            path.write_bytes(damage(content, draw))
        restored, _ = Checkpoints(tmp_path, read_only=True).restore(like, everywhere(1))
        assert_equal_trees(restored, state.replace(step=restored.step))
        assert int(restored.step) in (3, 6)
        path.write_bytes(content)


def test_an_incomplete_checkpoint_does_not_count(tmp_path: Path, state: states.TrainState) -> None:
    save_two(tmp_path, state).close()
    (tmp_path / '6').rename(tmp_path / '9.orbax-checkpoint-tmp')
    assert Checkpoints(tmp_path).steps() == [3]
