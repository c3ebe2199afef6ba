"""The loss; and that neither microbatches nor rematerialization change an update, except for rounding."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import NamedSharding, PartitionSpec

from jax_resnet.config.loading import as_config
from jax_resnet.platform import base
from jax_resnet.training import setup
from jax_resnet.training.evaluate import Evaluator
from jax_resnet.training.state import Totals, TrainState
from jax_resnet.training.step import Numbers, Steps, cross_entropy, dispatch_size
from tests.conftest import compiled, initial_state, small_config

LOGITS = jnp.array([[2.0, 0.0, -1.0], [0.5, 0.5, 3.0]])
LABELS = jnp.array([0, 1])
ONE_LAYER = {'name': 'cifar_resnet', 'depth': 5, 'unit': 'one_layer'}


@pytest.mark.parametrize(
    ('last', 'seconds_per_step', 'expected'),
    [(1, 0.001, 4), (125, 0.001, 500), (200, 0.001, 500), (500, 0.1, 5), (1, 2.0, 1)],
)
def test_a_dispatch_takes_half_a_second_and_grows_by_at_most_four(
    last: int, seconds_per_step: float, expected: int
) -> None:
    assert dispatch_size(last, seconds_per_step) == expected


def test_cross_entropy_is_the_mean_over_the_batch() -> None:
    p = np.exp(LOGITS) / np.exp(LOGITS).sum(1, keepdims=True)
    assert float(cross_entropy(LOGITS, LABELS)) == pytest.approx(-np.log([p[0, 0], p[1, 1]]).mean())


def test_label_smoothing_spreads_a_share_over_all_classes() -> None:
    p = np.exp(LOGITS) / np.exp(LOGITS).sum(1, keepdims=True)
    expected = -(0.7 * np.log([p[0, 0], p[1, 1]]).mean() + 0.3 * np.log(p).mean())
    assert float(cross_entropy(LOGITS, LABELS, 0.3)) == pytest.approx(expected)


def step_and_arguments(given: dict[str, Any]) -> tuple[Any, tuple]:
    """Returns a jitted step of a config, and its arguments after the state: numbers, images and labels of a batch."""
    config = as_config(given)
    data, model, mesh, _, schedule, _ = setup.set_up(config)
    settings, examples = setup.backend(config, mesh), data.source.read('train[:32]')
    net, by_example = settings.program_network(model), NamedSharding(mesh, PartitionSpec('data'))
    steps = Steps(config, net, settings.flat_arrays, data.augmentation, by_example)
    numbers = Numbers.create(config.seed, schedule, data.preprocess.normalize)
    return jax.jit(steps.step, compiler_options=dict(settings.compiler_options)), (
        numbers,
        examples.images,
        examples.labels,
    )


def after_a_step(**changes) -> TrainState:
    config = small_config(**{'batch_norm.group_size': 8, **changes})
    step, arguments = step_and_arguments(config)
    return jax.device_get(step(initial_state(config), *arguments))


@pytest.fixture(scope='module')
def expected() -> TrainState:
    return after_a_step()


@pytest.mark.parametrize(
    'changes',
    [
        {'memory.microbatches': 4},
        {'memory.microbatches': 2, 'parallel.devices': 2},
        {'memory.rematerialize': True},
    ],
)
def test_equal_up_to_rounding(expected: TrainState, changes: dict) -> None:
    got = after_a_step(**changes)
    assert int(got.totals.errors) == int(expected.totals.errors)

    def close(a: np.ndarray, b: np.ndarray) -> None:
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-5 * max(abs(np.asarray(b)).max(), 1))

    jax.tree.map(close, got, expected)


@pytest.mark.parametrize(
    ('changes', 'depends'),
    [
        ({'dataset.pad': 0}, False),
        ({'dataset.pad': 0, 'model.shortcut': 'dropout'}, True),
        ({'dataset.pad': 0, 'dataset.flip': True}, True),
        ({'dataset.pad': 1}, True),
    ],
)
def test_dropout_flips_and_crops_depend_on_the_step(changes: dict, depends: bool) -> None:
    """Nothing else does: the number of the step changes only the random draws."""
    config = small_config(ONE_LAYER, **changes)
    (step, arguments), state = step_and_arguments(config), initial_state(config)
    same, again, other = (float(step(state.replace(step=jnp.int32(k)), *arguments).totals.loss) for k in (3, 3, 4))
    assert same == again and (same != other) == depends


def test_label_smoothing_changes_the_loss_of_a_step(expected: TrainState) -> None:
    assert after_a_step(**{'loss.label_smoothing': 0.1}).totals.loss != expected.totals.loss


@pytest.mark.parametrize('logits', [[0.0, -jnp.inf], [3e38, -3e38]])
def test_extreme_logits_have_a_finite_loss(logits: list[float]) -> None:
    assert float(cross_entropy(jnp.array([logits]), jnp.array([0]))) == 0


def test_a_step_has_no_scatter() -> None:
    """A GPU adds a scatter in an order of its own, or, if the result must be exact, one number after another."""
    step, arguments = step_and_arguments(small_config())
    assert 'scatter' not in step.lower(initial_state(small_config()), *arguments).as_text()


def test_a_sum_of_many_losses_keeps_small_ones() -> None:
    """A single float32 of 12,000 would lose 0.0004."""
    start = Totals.zero().add(jnp.float32(12_000), jnp.int32(0))
    count, loss = 100_000, jnp.float32(0.0004)
    total = jax.jit(lambda start: jax.lax.fori_loop(0, count, lambda _, x: x.add(loss, jnp.int32(1)), start))(start)
    assert total.loss_sum == pytest.approx(12_000 + count * float(loss), abs=1e-6)
    assert int(total.errors) == count


@pytest.mark.parametrize('change', [{'seed': 1}, {'schedule.learning_rate': 0.05}, {'dataset.train': 'train[10:]'}])
def test_runs_that_differ_in_numbers_share_a_program(change: dict) -> None:
    """The mean image of other training examples is another number, too. Their count is not: it is a shape."""
    if 'dataset.train' in change:
        first, second = ({'dataset.train': f'train[{start}:{start + 500}]'} for start in (0, 10))
    else:
        first, second = {}, change
    programs = []
    for changes in (first, second):
        given, config = small_config(**changes), as_config(small_config(**changes))
        data, model, mesh, *_ = setup.set_up(config)
        test = Evaluator(data, model, mesh, 'test[:100]')
        compiled(given), test.compile(initial_state(given).variables)
        programs.append({**base._programs})
    assert programs[0] == programs[1]
