from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jax_resnet import models
from jax_resnet.training import state as states
from jax_resnet.training.checkpoints import Checkpoints
from tests.conftest import assert_equal_trees


def everywhere(devices: int) -> NamedSharding:
    return NamedSharding(Mesh(np.array(jax.local_devices()[:devices]), ('data',)), PartitionSpec())


@pytest.fixture(scope='module')
def state() -> states.TrainState:
    create = jax.jit(
        lambda: states.create(models.cifar_resnet(8, stacked=True), optax.sgd(0.1, 0.9), jnp.zeros((1, 8, 8, 3)), 0)
    )
    return create()


def test_saved_and_restored_to_the_last_bit(tmp_path: Path, state: states.TrainState) -> None:
    checkpoints = Checkpoints(tmp_path)
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


def test_the_last_two_are_kept_and_those_for_good(tmp_path: Path, state: states.TrainState) -> None:
    checkpoints = Checkpoints(tmp_path, keep=lambda step: step % 3 == 0)
    for step in range(1, 9):
        checkpoints.save(state.replace(step=jnp.int32(step)), seconds=0)
    checkpoints.close()
    assert Checkpoints(tmp_path).steps() == [3, 6, 7, 8]


def test_a_step_is_saved_once(tmp_path: Path, state: states.TrainState) -> None:
    checkpoints = Checkpoints(tmp_path)
    for seconds in (1.0, 2.0):
        checkpoints.save(state.replace(step=jnp.int32(1)), seconds)
    checkpoints.close()
    assert Checkpoints(tmp_path).restore(1, state, everywhere(1))[1] == 1.0


def test_what_is_being_saved_can_be_donated(tmp_path: Path, state: states.TrainState) -> None:
    """Training goes on in the same memory while the background writes."""
    update = jax.jit(lambda s: s.replace(params=jax.tree.map(lambda x: x + 1, s.params)), donate_argnums=0)
    training = update(jax.tree.map(jnp.copy, state).replace(step=jnp.int32(5)))
    before = jax.tree.map(lambda x: np.array(x, copy=True), training)
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(training, seconds=0)
    for _ in range(100):
        training = update(training)
    checkpoints.close()
    assert_equal_trees(Checkpoints(tmp_path).restore(5, jax.eval_shape(lambda: state), everywhere(1))[0], before)
