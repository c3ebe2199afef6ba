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


def test_central_crop() -> None:
    rng, mesh = np.random.default_rng(0), Mesh(np.array(jax.local_devices()[:1]), ('data',))
    examples = data.Examples(rng.integers(0, 256, (4, 8, 8, 3), dtype=np.uint8), rng.integers(0, 10, 4, dtype=np.int32))
    variables = jax.jit(NET.init)(jax.random.key(0), np.zeros((1, 8, 8, 3), np.float32))
    split, preprocess = ResidentSplit(examples, 4, mesh), preprocessing.Preprocess(preprocessing.half(), 6)
    evaluator = Evaluator(NET, preprocess, split, tuple('0123456789'), mesh)
    scores = evaluator.collect(evaluator.batches(variables))
    direct = NET.apply(variables, preprocessing.half()(jax.numpy.asarray(examples.images[:, 1:7, 1:7])))
    np.testing.assert_allclose(scores.logits, direct, atol=1e-5)


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
