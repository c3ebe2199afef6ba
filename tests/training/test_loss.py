import jax.numpy as jnp
import numpy as np
import pytest

from jax_resnet.training.loss import cross_entropy

LOGITS = jnp.array([[2.0, 0.0, -1.0], [0.5, 0.5, 3.0]])
LABELS = jnp.array([0, 1])


def test_cross_entropy_is_the_mean_over_the_batch() -> None:
    p = np.exp(LOGITS) / np.exp(LOGITS).sum(1, keepdims=True)
    assert float(cross_entropy(LOGITS, LABELS)) == pytest.approx(-np.log([p[0, 0], p[1, 1]]).mean())


def test_label_smoothing_spreads_a_share_over_all_classes() -> None:
    p = np.exp(LOGITS) / np.exp(LOGITS).sum(1, keepdims=True)
    expected = -(0.7 * np.log([p[0, 0], p[1, 1]]).mean() + 0.3 * np.log(p).mean())
    assert float(cross_entropy(LOGITS, LABELS, 0.3)) == pytest.approx(expected)
