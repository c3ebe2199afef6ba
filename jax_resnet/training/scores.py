"""The logits of a network on a split, and the losses and errors that follow from them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Scores:
    """The logits of a network on the n examples of a split.

    Attributes:
        logits: float32 [n, classes]. With several views: the logarithm of the averaged softmax, or averaged logits.
        labels: int32 [n].
        class_names: one for each class.
        present: the labels of the data's classes, if the network has more; the errors are among all of the network's.
    """

    logits: np.ndarray
    labels: np.ndarray
    class_names: Sequence[str]
    present: Sequence[int] = ()

    def __repr__(self) -> str:
        return f'Scores({self.count:,} examples, {len(self.class_names):,} classes, error {self.error:.2f} %)'

    @property
    def count(self) -> int:
        """Number of examples."""
        return len(self.labels)

    def parts(self, number: int) -> 'list[Scores]':
        """The scores of each of some equal parts of the examples, in order."""
        pairs = zip(np.split(self.logits, number), np.split(self.labels, number), strict=True)
        return [Scores(logits, labels, self.class_names) for logits, labels in pairs]

    @property
    def correct(self) -> int:
        """Number of correct predictions. If a logit is infinite or NaN, the prediction counts as wrong."""
        return int(self._is_correct.sum())

    @property
    def loss(self) -> float:
        """Mean cross-entropy."""
        with np.errstate(invalid='ignore'):  # infinite logits give a loss of NaN
            z = self.logits.astype(np.float64)
            z -= z.max(1, keepdims=True)
            losses = np.log(np.exp(z).sum(1)) - np.take_along_axis(z, self.labels[:, None], 1)[:, 0]
            return float(losses.sum()) / self.count

    @property
    def error(self) -> float:
        """Top-1 error in percent."""
        return 100 * (self.count - self.correct) / self.count

    @property
    def top5_correct(self) -> int:
        """Number of examples whose label is one of the five most likely classes; of equal logits, the first count."""
        own = np.take_along_axis(self.logits, self.labels[:, None], 1)
        indices = np.arange(self.logits.shape[1])
        before = (self.logits > own) | ((self.logits == own) & (indices < self.labels[:, None]))
        return int(((before.sum(1) < 5) & np.isfinite(self.logits).all(1)).sum())

    @property
    def top5_error(self) -> float | None:
        """Top-5 error in percent; None with ten or fewer classes."""
        if len(self.class_names) <= 10:
            return None
        return 100 * (self.count - self.top5_correct) / self.count

    @property
    def present_correct(self) -> int | None:
        """Number of correct predictions among the classes that are `present`; None if these are all."""
        if not self.present:
            return None
        classes = np.unique(self.present)
        is_right = classes[self.logits[:, classes].argmax(1)] == self.labels
        return int((is_right & np.isfinite(self.logits).all(1)).sum())

    @property
    def present_error(self) -> float | None:
        """Top-1 error in percent among the classes that are `present`; None if these are all."""
        return None if self.present_correct is None else 100 * (self.count - self.present_correct) / self.count

    @property
    def class_errors(self) -> dict[str, float | None]:
        """Top-1 error of each class of the data in percent; None for a class without examples."""
        errors = {}
        for label in np.unique(self.present) if self.present else range(len(self.class_names)):
            name, correct = self.class_names[label], self._is_correct[self.labels == label]
            errors[name] = 100 * float(1 - correct.mean()) if len(correct) else None
        return errors

    def mistakes(self, most: int) -> np.ndarray:
        """Indices of at most `most` wrong predictions, int [n], in descending order of their probabilities."""
        z = self.logits.astype(np.float64)
        probabilities = 1 / np.exp(z - z.max(1, keepdims=True)).sum(1)  # softmax of the predicted classes
        wrong = np.flatnonzero(~self._is_correct)
        return wrong[np.argsort(-probabilities[wrong], kind='stable')][:most]

    @property
    def _is_correct(self) -> np.ndarray:
        is_right: np.ndarray = self.logits.argmax(1) == self.labels
        return is_right & np.isfinite(self.logits).all(1)
