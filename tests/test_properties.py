"""Properties that hold for all sizes, steps, seeds and networks, tested with random examples of hypothesis."""

import tempfile
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
from jax_resnet.config.loading import as_config
from jax_resnet.data import Examples, preprocessing
from jax_resnet.data.preprocessing import Augmentation, Preprocess
from jax_resnet.runs.run_folder import RunFolder
from jax_resnet.training.evaluate import Evaluator
from jax_resnet.training.resident import ResidentSplit
from tests.conftest import small_config

# Each run of the tests has the same examples, without a time limit.
settings.register_profile('tests', deadline=None, derandomize=True, database=None, max_examples=25)
settings.load_profile('tests')

SIZES = st.tuples(st.integers(1, 40), st.integers(1, 40)).map(lambda pair: (max(pair), min(pair)))
"""(number of examples, batch size). A batch has at most all examples."""


@settings(max_examples=8)
@given(st.integers(1, 6), st.integers(0, 3), st.integers(0, 100), st.booleans(), st.data())
def test_a_crop_is_a_window_of_the_padded_image(
    size: int, pad: int, seed: int, flip: bool, draw: st.DataObject
) -> None:
    crop = draw.draw(st.integers(1, size + 2 * pad))
    images = np.random.default_rng(seed).integers(1, 256, (3, size, size, 1), dtype=np.uint8)
    views = Augmentation(pad, 'black', crop, flip)(
        jax.random.key(seed), images, preprocessing.channel((0,), (1 / 255,))
    )
    padded = np.pad(images, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    offsets = range(size + 2 * pad - crop + 1)
    for image, view in zip(padded, np.round(views).astype(int), strict=True):
        windows = [image[top : top + crop, left : left + crop] for top in offsets for left in offsets]
        mirrored = [window[:, ::-1] for window in windows] if flip else []
        assert any((window == view).all() for window in windows + mirrored)


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
    evaluator = Evaluator(FirstPixel(), preprocess, ResidentSplit(examples, batch_size, mesh), tuple('abcde'), mesh)
    scores = evaluator.collect(evaluator.batches({}))
    np.testing.assert_allclose(scores.logits, examples.images[:, 0, :, 0], atol=1e-3)
    expected = int((examples.images[:, 0, :, 0].argmax(1) == examples.labels).sum())
    assert (scores.count, scores.correct, scores.error) == (n, expected, 100 * (n - expected) / n)
    counts = np.bincount(examples.labels, minlength=5)
    by_class = sum(
        count * (error or 0) / 100 for count, error in zip(counts, scores.class_errors.values(), strict=True)
    )
    assert round(by_class, 6) == n - expected


@given(
    st.integers(0, 2**32 - 1),
    st.floats(1e-9, 1e9),
    st.lists(st.integers(1, 10**6).map('{} steps'.format), max_size=3).map(tuple),
    st.text(max_size=20),
)
def test_a_run_folder_returns_the_config_unchanged(seed: int, rate: float, drops: tuple, text: str) -> None:
    changes = {'seed': seed, 'schedule.learning_rate': rate, 'schedule.drop_at': drops, 'dataset.data_dir': text}
    config = as_config(small_config(**changes))
    with tempfile.TemporaryDirectory() as folder:
        RunFolder(folder).open(config)
        assert RunFolder(folder).config() == config
        RunFolder(folder).open(config)
