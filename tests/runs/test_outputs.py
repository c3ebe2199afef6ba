"""What predictions.npz has, in its two forms."""

from pathlib import Path

import numpy as np
import pytest

from jax_resnet.errors import ConfigError
from jax_resnet.runs import outputs
from jax_resnet.runs.run_folder import RunFolder

LABELS = np.int32([7, 0, 100])


def some_logits(classes: int) -> np.ndarray:
    """Of three examples."""
    return np.random.default_rng(0).normal(size=(3, classes)).astype(np.float32)


def written(folder: Path, count: int, /, **changes: object) -> Path:
    """A folder with the predictions of three examples, some of their arrays changed; None leaves one out."""
    np.savez(folder / 'preprocessing.npz', class_names=[f'class {i}' for i in range(count)])
    arrays = outputs.predictions_of(some_logits(count), LABELS % count) | changes
    np.savez(folder / 'predictions.npz', **{name: array for name, array in arrays.items() if array is not None})
    return folder


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
    folder, logits = RunFolder(written(tmp_path, classes)), some_logits(classes)
    folder.write_predictions(logits, LABELS % classes)
    found = outputs.predictions(folder.path)
    assert found is not None and found.classes.shape == found.probabilities.shape == (3, min(classes, 5))
    np.testing.assert_array_equal(found.classes[:, 0], logits.argmax(1))
    np.testing.assert_array_equal(found.labels, LABELS % classes)
    assert found.class_names == [f'class {i}' for i in range(classes)]


@pytest.mark.parametrize(
    ('changes', 'what'),
    [
        ({'classes': None, 'probabilities': None}, 'it must have logits, or classes and probabilities'),
        ({'classes': None}, 'it must have logits, or classes and probabilities'),
        ({'probabilities': None}, 'it must have logits, or classes and probabilities'),
        ({'labels': None}, 'it has no labels'),
        ({'classes': np.zeros((3, 4), int)}, 'its arrays do not fit each other'),
        ({'classes': np.zeros((3, 0), int), 'probabilities': np.zeros((3, 0))}, 'its arrays do not fit each other'),
        ({'classes': np.zeros((3, 5))}, 'its arrays do not fit each other'),
        ({'probabilities': np.zeros((3, 5), int)}, 'its arrays do not fit each other'),
        ({'labels': [0, 1]}, 'its arrays do not fit each other'),
        ({'classes': np.full((3, 5), 150)}, 'its classes and labels must be from 0 to 149'),
        ({'classes': np.full((3, 5), -1)}, 'its classes and labels must be from 0 to 149'),
        ({'labels': [0, 1, 150]}, 'its classes and labels must be from 0 to 149'),
        ({'probabilities': np.full((3, 5), np.nan)}, 'its probabilities must be from 0 to 1'),
        ({'probabilities': np.full((3, 5), 1.5)}, 'its probabilities must be from 0 to 1'),
        ({'logits': np.full((3, 150), np.nan)}, 'its probabilities must be from 0 to 1'),
        ({'logits': np.full((3, 150), np.inf)}, 'its probabilities must be from 0 to 1'),
        ({'logits': np.zeros((3, 149))}, 'its logits must be floating-point numbers for 150 classes'),
    ],
)
def test_what_is_damaged_is_one_line(tmp_path: Path, changes: dict, what: str) -> None:
    with pytest.raises(ConfigError) as raised:
        outputs.predictions(written(tmp_path, 150, **changes))
    assert str(raised.value) == f'{tmp_path / "predictions.npz"} is damaged: {what}'


def test_without_predictions_there_are_none(tmp_path: Path) -> None:
    assert outputs.predictions(tmp_path) is None
