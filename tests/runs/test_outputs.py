"""What predictions.npz has."""

from pathlib import Path

import numpy as np
import pytest

from jax_resnet.runs import outputs
from jax_resnet.runs.run_folder import RunFolder


@pytest.mark.parametrize('classes', [3, 101])
def test_the_most_likely_classes_are_kept_and_few_logits(tmp_path: Path, classes: int) -> None:
    logits = np.random.default_rng(0).normal(size=(3, classes)).astype(np.float32)
    folder, names, labels = RunFolder(tmp_path), tuple(f'class {i}' for i in range(classes)), np.int32([1, 0, 2])
    assert folder.predictions() is None
    folder.write_preprocessing(outputs.Preprocessing(np.zeros(3), np.ones(3), 0, (8, 8, 3), names))
    folder.write_predictions(logits, labels, {'index': np.array([2]), 'images': np.zeros((1, 8, 8, 3))})
    assert ('logits' in np.load(tmp_path / 'predictions.npz')) == (classes <= 100)
    found = folder.predictions()
    assert found is not None and found.class_names == names
    np.testing.assert_array_equal(found.labels, labels)
    softmax = np.exp(logits.astype(np.float64))
    softmax /= softmax.sum(1, keepdims=True)
    np.testing.assert_allclose(found.probabilities, -np.sort(-softmax, 1)[:, :5], rtol=1e-6)
    np.testing.assert_allclose(found.probabilities, np.take_along_axis(softmax, found.classes, 1), rtol=1e-6)


def test_equal_and_huge_logits_have_probabilities() -> None:
    arrays = outputs.prediction_arrays(np.float32([[0, 1e30, 0, 1e30, -1e30, 1]]), np.int32([7]))
    assert arrays['classes'].tolist() == [[1, 3, 5, 0, 2]]  # of equal ones the lower first
    np.testing.assert_array_equal(arrays['probabilities'], [[0.5, 0.5, 0, 0, 0]])
