"""Properties that hold for all sizes, steps, seeds and networks, tested with random examples of hypothesis."""

from fractions import Fraction
from math import ceil

import flax.linen as nn
import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.sharding import Mesh

from jax_resnet.config.durations import Clock
from jax_resnet.config.fields import Config
from jax_resnet.data import Examples, Source, preprocessing
from jax_resnet.data.preprocessing import Preprocess
from jax_resnet.training.evaluate import Evaluator
from jax_resnet.training.resident import ResidentInput

# Each run of the tests has the same examples, without a time limit.
settings.register_profile('tests', deadline=None, derandomize=True, database=None, max_examples=25)
settings.load_profile('tests')

SIZES = st.tuples(st.integers(1, 40), st.integers(1, 40)).map(lambda pair: (max(pair), min(pair)))
"""(number of examples, batch size). A batch has at most all examples."""


@given(SIZES, st.integers(1, 100), st.sampled_from(['steps', 'epochs', 'examples']), st.integers(0, 300))
def test_durations_are_due_at_the_right_steps(sizes: tuple[int, int], amount: int, unit: str, step: int) -> None:
    size, batch_size = sizes
    clock, duration = Clock(size, batch_size), f'{amount} {unit}'
    examples = amount * {'steps': batch_size, 'epochs': size, 'examples': 1}[unit]
    due = {ceil(Fraction(k * examples, batch_size)) for k in range(1, 301 * batch_size // examples + 2)}
    assert clock.is_due(duration, step) == (step in due)
    assert clock.next_due(duration, step) == min(s for s in due | {clock.next_due(duration, step)} if s > step)


class FirstPixel(nn.Module):
    """A network whose logits are the pixels of the first row."""

    stacked: bool = True

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        return x[:, 0, :, 0]


@pytest.mark.parametrize('devices', range(1, 9))
@settings(max_examples=3)
@given(st.integers(1, 60), st.integers(1, 70), st.integers(0, 100))
def test_evaluation_counts_every_example_once(devices: int, n: int, batch_size: int, seed: int) -> None:
    devices = min(devices, len(jax.local_devices()))
    rng = np.random.default_rng(seed)
    examples = Examples(rng.integers(0, 256, (n, 2, 5, 1), dtype=np.uint8), rng.integers(0, 5, n, dtype=np.int32))
    mesh = Mesh(np.array(jax.local_devices()[:devices]), ('data',))
    preprocess = Preprocess(preprocessing.channel((0,), (1 / 255,)))
    source = Source('random', tuple('abcde'), {'test': n}, (2, 5, 1), lambda _: examples)
    data = ResidentInput(Config(batch_size=batch_size), source)
    evaluator = Evaluator(data, FirstPixel(), mesh, 'test', preprocess=preprocess)
    scores = evaluator.collect(evaluator.batches({}))
    np.testing.assert_allclose(scores.logits, examples.images[:, 0, :, 0], atol=1e-3)
    expected = int((examples.images[:, 0, :, 0].argmax(1) == examples.labels).sum())
    assert (scores.count, scores.correct, scores.error) == (n, expected, 100 * (n - expected) / n)
    counts = np.bincount(examples.labels, minlength=5)
    by_class = sum(
        count * (error or 0) / 100 for count, error in zip(counts, scores.class_errors.values(), strict=True)
    )
    assert round(by_class, 6) == n - expected
