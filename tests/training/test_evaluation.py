import numpy as np
import pytest

from jax_resnet.training.scores import Scores


def test_scores_by_hand() -> None:
    logits = np.float32([[2, 0, 0], [0, 2, 0], [0, 2, 0], [1e4, 0, 0]])
    scores = Scores(logits, np.int32([0, 1, 0, 0]), ('a', 'b', 'c'))
    likely = np.log(1 + 2 * np.exp(-2))
    assert (scores.correct, scores.count, scores.error) == (3, 4, 25.0)
    assert scores.loss == pytest.approx((2 * likely + (likely + 2)) / 4)
    assert scores.class_errors == {'a': pytest.approx(100 / 3), 'b': 0.0, 'c': None}


def test_scores_among_the_classes_that_are_present_by_hand() -> None:
    scores = Scores(np.float32([[9, 2, 3], [9, 2, 3], [1, 5, 3]]), np.int32([2, 1, 1]), ('a', 'b', 'c'), present=(2, 1))
    assert (scores.correct, scores.present_correct) == (1, 2)
    assert scores.present_error == pytest.approx(100 / 3)
    assert scores.class_errors == {'b': 50.0, 'c': 100.0}
    assert scores.mistakes(2).tolist() == [0, 1]  # both are as certain
    assert Scores(np.float32([[0, 1], [9, 0], [0, 5]]), np.int32([0, 1, 0]), 'ab').mistakes(2).tolist() == [1, 2]


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
