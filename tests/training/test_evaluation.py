from typing import Any

import jax
import numpy as np
import pytest
from jax.sharding import Mesh

from jax_resnet import data, models
from jax_resnet.data import preprocessing
from jax_resnet.training.evaluate import Evaluator
from jax_resnet.training.resident import ResidentSplit
from jax_resnet.training.scores import Scores

NET = models.scaled_resnet((1,), width=4, windows=(3,), shortcut_windows=(3,))


def evaluator(examples: data.Examples, batch_size: int, devices: int, test_crop: int = 0) -> Evaluator:
    mesh = Mesh(np.array(jax.local_devices()[:devices]), ('data',))
    preprocess = preprocessing.Preprocess(preprocessing.half(), test_crop)
    return Evaluator(NET, preprocess, ResidentSplit(examples, batch_size, mesh), tuple('0123456789'), mesh)


def random_examples(n: int) -> data.Examples:
    rng = np.random.default_rng(0)
    return data.Examples(rng.integers(0, 256, (n, 8, 8, 3), dtype=np.uint8), rng.integers(0, 10, n, dtype=np.int32))


@pytest.fixture(scope='module')
def variables() -> dict[str, Any]:
    return jax.jit(NET.init)(jax.random.key(0), np.zeros((1, 8, 8, 3), np.float32))


@pytest.mark.skipif(len(jax.local_devices()) < 2, reason='needs 2 devices')
def test_batches_of_96_on_2_devices_give_the_scores_of_one_batch_on_one_device(variables: dict[str, Any]) -> None:
    examples = random_examples(1000)
    many, one = evaluator(examples, 96, 2)(variables), evaluator(examples, 1000, 1)(variables)
    assert many.count == one.count == 1000
    assert many.correct == one.correct and many.class_errors == one.class_errors
    assert many.loss_sum == pytest.approx(one.loss_sum, rel=1e-6)
    np.testing.assert_allclose(many.logits, one.logits, atol=1e-5)


@pytest.mark.parametrize(('n', 'batch_size'), [(10, 4), (10, 100), (1, 4), (8, 4)])
def test_every_example_counts_once_for_any_batch_size(n: int, batch_size: int, variables: dict[str, Any]) -> None:
    examples = random_examples(n)
    scores = evaluator(examples, batch_size, 1)(variables)
    direct = NET.apply(variables, preprocessing.half()(jax.numpy.asarray(examples.images)))
    assert scores.count == n and (scores.labels == examples.labels).all()
    np.testing.assert_allclose(scores.logits, direct, atol=1e-5)


def test_central_crop(variables: dict[str, Any]) -> None:
    examples = random_examples(4)
    direct = NET.apply(variables, preprocessing.half()(jax.numpy.asarray(examples.images[:, 1:7, 1:7])))
    np.testing.assert_allclose(evaluator(examples, 4, 1, test_crop=6)(variables).logits, direct, atol=1e-5)


def test_scores_by_hand() -> None:
    logits = np.float32([[2, 0, 0], [0, 2, 0], [0, 2, 0], [1e4, 0, 0]])
    scores = Scores(logits, np.int32([0, 1, 0, 0]), ('a', 'b', 'c'))
    likely = np.log(1 + 2 * np.exp(-2))
    assert (scores.correct, scores.count, scores.error) == (3, 4, 25.0)
    assert scores.loss_sum == pytest.approx(2 * likely + (likely + 2))
    assert scores.loss == scores.loss_sum / 4
    assert scores.class_errors == {'a': pytest.approx(100 / 3), 'b': 0.0, 'c': None}


@pytest.mark.parametrize('bad', [np.nan, np.inf, -np.inf])
def test_logits_that_are_not_finite_are_wrong_for_class_0_too(bad: float) -> None:
    scores = Scores(np.float32([[bad, bad, bad], [2, bad, 0], [0, 2, 0]]), np.int32([0, 0, 1]), ('a', 'b', 'c'))
    assert (scores.correct, scores.count) == (1, 3)
    assert scores.class_errors == {'a': 100.0, 'b': 0.0, 'c': None}


def test_top_5_by_hand() -> None:
    names = tuple('abcdefghijk')
    logits = np.float32([
        [9, 8, 7, 6, 5, 4, 3, 2, 1, 0, -1],
        [9, 8, 7, 6, 5, 4, 3, 2, 1, 0, -1],
        [1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0],  # of equal logits, the first five count
        [1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0],
        [np.nan, 8, 7, 6, 5, 4, 3, 2, 1, 0, -1],
    ])  # fmt: skip
    scores = Scores(logits, np.int32([4, 5, 4, 5, 1]), names)
    assert (scores.top5_correct, scores.top5_error) == (2, 60.0)
    assert Scores(logits[:, :10], np.int32([4, 5, 4, 5, 1]), names[:10]).top5_error is None
