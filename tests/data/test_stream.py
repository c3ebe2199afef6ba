import jax
import numpy as np
import pytest

from jax_resnet.data import stream

KEY = jax.random.key(3)


def samples(size: int, batch_size: int, start: int, steps: int) -> np.ndarray:
    """The stream from step `start`, with a new window at each step."""
    return np.concatenate(
        [stream.window(KEY, s, batch_size, size).batch(s, batch_size) for s in range(start, start + steps)]
    )


@pytest.mark.parametrize(('size', 'batch_size'), [(10, 4), (10, 10), (7, 3), (12, 4), (9, 8)])
def test_every_epoch_is_a_permutation(size: int, batch_size: int) -> None:
    epochs = samples(size, batch_size, 0, 3 * size).reshape(-1, size)
    assert (np.sort(epochs, axis=1) == np.arange(size)).all()
    assert len(np.unique(epochs, axis=0)) > 1


def test_the_stream_begins_anywhere() -> None:
    np.testing.assert_array_equal(samples(10, 4, 0, 12)[5 * 4 :], samples(10, 4, 5, 7))


def test_a_window_serves_until_its_end() -> None:
    for size, batch_size in [(10, 4), (10, 10), (7, 3), (1437, 64)]:
        for step in range(6):
            end = stream.window_end(step, batch_size, size)
            assert end > step
            window = stream.window(KEY, step, batch_size, size)
            last = window.batch(end - 1, batch_size)
            np.testing.assert_array_equal(last, samples(size, batch_size, end - 1, 1))
            assert end * batch_size <= (step * batch_size // size + 2) * size < (end + 1) * batch_size


def test_other_keys_other_orders() -> None:
    orders = [stream.window(jax.random.key(seed), 0, 4, 50).orders for seed in (0, 1)]
    assert (orders[0] != orders[1]).any() and (orders[0][0] != orders[0][1]).any()
