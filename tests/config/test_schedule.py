import jax
import jax.numpy as jnp
import numpy as np
import pytest
from msgspec.structs import replace

from jax_resnet.config import schedule
from jax_resnet.config.durations import Clock
from jax_resnet.config.fields import FIELDS, Schedule
from jax_resnet.data.preprocessing import channel
from jax_resnet.training.step import Numbers

CLOCK = Clock(epoch_size=50_000, batch_size=128)
PAPER = Schedule()


def rates(config: Schedule, steps: list[int]) -> list[float]:
    """Returns the learning rates after `steps`, and checks that those in a compiled program are the same."""
    planned = schedule.create(config, CLOCK, 64_000)
    numbers = Numbers.create(0, planned, channel(0.5, 0.5))
    compiled = jax.jit(lambda schedule, step: schedule.rate(step, jnp))
    inside = [compiled(numbers.schedule, jnp.int32(step)) for step in steps]
    np.testing.assert_allclose(inside, planned.rate(np.array(steps)), rtol=1e-5, atol=1e-9)
    return [round(float(planned.rate(step)), 6) for step in steps]


def test_paper() -> None:
    assert rates(PAPER, [0, 31_999, 32_000, 47_999, 48_000, 63_999]) == [0.1, 0.1, 0.01, 0.01, 0.001, 0.001]
    epochs = replace(PAPER, drop_at=('81 epochs', '1e20 steps'))
    assert rates(epochs, [31_640, 31_641, 63_999]) == [0.1, 0.01, 0.01]


def test_warm_up() -> None:
    config = replace(PAPER, warmup_for='400 steps', warmup_learning_rate=0.01)
    assert rates(config, [0, 399, 400, 31_999, 32_000, 48_000]) == [0.01, 0.01, 0.1, 0.1, 0.01, 0.001]
    assert schedule.create(config, CLOCK, 64_000).pieces[:2] == [(0, 0.01), (400, 0.1)]


def test_a_linear_warm_up() -> None:
    linear = replace(PAPER, warmup_shape='linear', warmup_for='400 steps', warmup_learning_rate=0.02)
    assert rates(linear, [0, 1, 200, 399, 400, 32_000]) == [0.02, 0.0202, 0.06, 0.0998, 0.1, 0.01]
    assert schedule.create(linear, CLOCK, 64_000).describe(401) == [
        'learning rate 0.02 from step 0, rising linearly, 0.1 from step 400',
        'the changes of the learning rate at steps 32,000, 48,000 are after the end and never reached',
    ]
    cosine = replace(linear, name='cosine', drop_at=(), warmup_learning_rate=0.0)
    assert rates(cosine, [0, 100, 400, 32_200, 64_000]) == [0.0, 0.025, 0.1, 0.05, 0.0]
    with pytest.raises(ValueError, match=r"warmup_learning_rate=0.0: must be above 0 with warmup_shape='constant'"):
        schedule.create(replace(linear, warmup_shape='constant', warmup_learning_rate=0.0), CLOCK, 64_000)


def test_a_shortened_recipe_has_shorter_parts() -> None:
    """All durations are divided but intervals. One that is new must be added here, and be converted as these are."""
    durations = {name for name, field in FIELDS.items() if 'a positive number and a unit' in field.allowed}
    parts = {name for name in durations if not name.endswith('_every')}
    assert parts == {'train_for', 'schedule.drop_at', 'schedule.warmup_for'}
    config, clock = replace(PAPER, warmup_for='400 steps', warmup_learning_rate=0.01), Clock(50_000, 128, shorten=32)
    assert [start for start, _ in schedule.create(config, clock, 2000).pieces] == [0, 13, 1000, 1500]


@pytest.mark.parametrize(
    'change',
    [
        {'drop_at': ('48000 steps', '32000 steps')},
        {'drop_at': ('100 steps', '100 steps')},
        {'drop_at': ('300 steps',), 'warmup_for': '400 steps', 'warmup_learning_rate': 0.01},
    ],
)
def test_out_of_order(change: dict) -> None:
    with pytest.raises(ValueError, match='drop_at: drops must be in order and after the warm-up'):
        schedule.create(replace(PAPER, **change), CLOCK, 64_000)


def test_cosine_after_a_warm_up() -> None:
    config = replace(PAPER, name='cosine', drop_at=(), warmup_for='400 steps', warmup_learning_rate=0.01)
    assert rates(config, [0, 399, 400, 32_200, 63_999, 64_000]) == [0.01, 0.01, 0.1, 0.05, 0.0, 0.0]
    assert schedule.create(config, CLOCK, 64_000).describe(64_000) == [
        'learning rate 0.01 from step 0, 0.1 from step 400, falling as half a cosine to zero at step 64,000'
    ]


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'drop_at': ('1 epoch',)}, r"drop_at=\('1 epoch',\): must be \(\) with name='cosine'"),
        (
            {'drop_at': (), 'warmup_for': '64000 steps', 'warmup_learning_rate': 0.01},
            "warmup_for='64000 steps': must end before the last step, 64,000",
        ),
    ],
)
def test_invalid_cosines(change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        schedule.create(replace(PAPER, name='cosine', **change), CLOCK, 64_000)
