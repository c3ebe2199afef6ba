import pytest

from jax_resnet.training import schedule
from jax_resnet.training.durations import Clock

CLOCK = Clock(epoch_size=50_000, batch_size=128)
PAPER = {
    'learning_rate': 0.1,
    'drop_at': ('32000 steps', '48000 steps'),
    'factor': 0.1,
    'warmup_for': None,
    'warmup_learning_rate': None,
}


def rates(config: dict, steps: list[int]) -> list[float]:
    rate = schedule.learning_rate(config, CLOCK)
    return [round(float(rate(step)), 6) for step in steps]


def test_paper() -> None:
    assert rates(PAPER, [0, 31_999, 32_000, 47_999, 48_000, 63_999]) == [0.1, 0.1, 0.01, 0.01, 0.001, 0.001]


def test_warm_up() -> None:
    config = PAPER | {'warmup_for': '400 steps', 'warmup_learning_rate': 0.01}
    assert rates(config, [0, 399, 400, 31_999, 32_000, 48_000]) == [0.01, 0.01, 0.1, 0.1, 0.01, 0.001]
    assert schedule.pieces(config, CLOCK)[:2] == [(0, 0.01), (400, 0.1)]


def test_epochs() -> None:
    config = PAPER | {'drop_at': ('81 epochs', '122 epochs')}
    assert [start for start, _ in schedule.pieces(config, CLOCK)] == [0, 31_641, 47_657]
    assert rates(config, [31_640, 31_641, 47_656, 47_657]) == [0.1, 0.01, 0.01, 0.001]


def test_constant() -> None:
    assert rates(PAPER | {'drop_at': ()}, [0, 10**6]) == [0.1, 0.1]


@pytest.mark.parametrize(
    'change',
    [
        {'drop_at': ('48000 steps', '32000 steps')},
        {'drop_at': ('100 steps', '100 steps')},
        {'drop_at': ('300 steps',), 'warmup_for': '400 steps', 'warmup_learning_rate': 0.01},
    ],
)
def test_out_of_order(change: dict) -> None:
    with pytest.raises(ValueError, match='drop_at: warm-up and drops must come one after another'):
        schedule.pieces(PAPER | change, CLOCK)
