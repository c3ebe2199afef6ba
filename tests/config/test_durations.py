from fractions import Fraction

import pytest

from jax_resnet.config.durations import Clock, parse

CIFAR = Clock(epoch_size=50_000, batch_size=128)


@pytest.mark.parametrize(
    ('text', 'amount', 'unit'),
    [
        ('64000 steps', 64000, 'steps'),
        ('1 epoch', 1, 'epochs'),
        ('0.5 epochs', Fraction(1, 2), 'epochs'),
        ('8_192_000 examples', 8192000, 'examples'),
        (' 1 step ', 1, 'steps'),
        ('1e3 steps', 1000, 'steps'),
        ('1/2 epochs', Fraction(1, 2), 'epochs'),
    ],
)
def test_parse(text: str, amount: Fraction, unit: str) -> None:
    assert parse(text) == (amount, unit)


@pytest.mark.parametrize(
    'text',
    [
        '5 hours',
        '0 steps',
        '1e9999999 steps',
        '1/0 epochs',
        f'{"9" * 5000} steps',
    ],
)
def test_anything_else_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match='positive number and a unit'):
        parse(text)


def test_epochs_end_at_the_step_that_completes_them() -> None:
    assert CIFAR.steps('1 epoch') == 391  # 390.625
    assert CIFAR.steps('2 epochs') == 782  # 781.25, not 2 x 391 by rule but by ceil(2 x E / B)
    assert CIFAR.steps('8 epochs') == 3125  # exactly
    assert CIFAR.steps('164 epochs') == 64_063
    assert CIFAR.steps('64000 steps') == 64_000
    assert CIFAR.steps('8192000 examples') == 64_000
    assert CIFAR.epochs(64_000) == pytest.approx(163.84)


def test_a_shortened_recipe_ends_earlier_and_intervals_stay() -> None:
    clock = Clock(50_000, 128, shorten=32)
    assert [clock.steps(f'{steps} steps') for steps in (64_000, 48_000, 400)] == [2000, 1500, 13]  # 12.5
    assert clock.steps('164 epochs') == 2002  # 64,062.5 / 32
    assert clock.next_due('1 epoch', 0) == 391 and clock.is_due('100 steps', 100) and not clock.is_due(None, 100)
