"""What predictions.npz has, in its two forms."""

from pathlib import Path

import numpy as np
import pytest

from jax_resnet.runs import outputs
from jax_resnet.runs.run_folder import RunFolder

LABELS = np.int32([7, 0, 100])


def some_logits(classes: int) -> np.ndarray:
    """Of three examples."""
    return np.random.default_rng(0).normal(size=(3, classes)).astype(np.float32)


def test_up_to_a_hundred_classes_all_logits_are_kept() -> None:
    logits = some_logits(100)
    arrays = outputs.predictions_of(logits, LABELS)
    assert arrays.keys() == {'logits', 'labels'} and arrays['logits'] is logits and arrays['labels'] is LABELS


def test_above_a_hundred_classes_the_five_most_likely_are_kept() -> None:
    logits = some_logits(101)
    logits[0, [90, 3, 40]] = 5.0
    arrays = outputs.predictions_of(logits, LABELS)
    assert {name: (array.dtype, array.shape) for name, array in arrays.items()} == {
        'classes': (np.int32, (3, 5)), 'probabilities': (np.float32, (3, 5)), 'labels': (np.int32, (3,)),
    }  # fmt: skip
    assert arrays['classes'][0, :3].tolist() == [3, 40, 90]  # of equal ones the lower first
    softmax = np.exp(logits.astype(np.float64))
    softmax /= softmax.sum(1, keepdims=True)
    np.testing.assert_allclose(arrays['probabilities'], -np.sort(-softmax, 1)[:, :5], rtol=1e-6)
    np.testing.assert_allclose(arrays['probabilities'], np.take_along_axis(softmax, arrays['classes'], 1), rtol=1e-6)


def test_huge_logits_have_probabilities() -> None:
    arrays = outputs.predictions_of(1e30 * some_logits(200), LABELS)
    np.testing.assert_array_equal(arrays['probabilities'], [[1, 0, 0, 0, 0]] * 3)


@pytest.mark.parametrize('classes', [3, 100, 101])
def test_both_forms_are_read_alike(tmp_path: Path, classes: int) -> None:
    folder, logits, names = RunFolder(tmp_path), some_logits(classes), tuple(f'class {i}' for i in range(classes))
    folder.write_preprocessing(outputs.Preprocessing(np.zeros(3), np.ones(3), 0, (8, 8, 3), names))
    folder.write_predictions(logits, LABELS % classes, {'index': np.array([2]), 'images': np.zeros((1, 8, 8, 3))})
    found = outputs.predictions(folder.path)
    assert found is not None and found.classes.shape == found.probabilities.shape == (3, min(classes, 5))
    np.testing.assert_array_equal(found.classes[:, 0], logits.argmax(1))
    np.testing.assert_array_equal(found.labels, LABELS % classes)
    assert found.class_names == names


def test_without_predictions_there_are_none(tmp_path: Path) -> None:
    assert outputs.predictions(tmp_path) is None
