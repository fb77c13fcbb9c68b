"""Scores of a whole set, gathered batch by batch: update, then compute.

A score of a set is not the mean of the scores of its batches, so these keep what the score is made of: every label
score, a confusion matrix, or a sum. The result does not depend on how the set was cut into batches.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pretint.metrics import ab_error, labels, segmentation


class LabelMeter:
    """Keeps targets and probabilities of all pictures: N x K x 9 bytes."""

    def __init__(self) -> None:
        self._targets: list[NDArray[np.bool_]] = []
        self._probabilities: list[NDArray[np.float64]] = []

    def update(self, target: NDArray[Any], probability: NDArray[Any]) -> None:
        """Adds a batch: target (B, K) of 0/1, probability (B, K) in [0, 1]."""
        self._targets.append(np.array(target, dtype=bool))
        self._probabilities.append(np.array(probability, dtype=np.float64))

    def compute(self) -> dict[str, float]:
        """mAP, f1_micro and f1_macro (absent classes skipped), all in [0, 1]."""
        target, probability = self._all()
        return {
            "mAP": labels.mean_average_precision(target, probability),
            "f1_micro": labels.f1_micro(target, probability),
            "f1_macro": labels.f1_macro(target, probability),
        }

    def top1(self) -> float:
        """Share of pictures whose likeliest class is one of theirs, in [0, 1]."""
        return labels.top1(*self._all())

    def average_precision(self) -> NDArray[np.float64]:
        """Per class, (K,); nan for a class without positives."""
        return labels.average_precision(*self._all())

    def _all(self) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
        return np.concatenate(self._targets), np.concatenate(self._probabilities)


class SegmentationMeter:
    """Adds confusion matrices; `matrix` is (K, K), int64, row = true class."""

    def __init__(self, classes: int, void: int | None = 255) -> None:
        self.void = void
        self.matrix = np.zeros((classes, classes), dtype=np.int64)

    def update(self, target: NDArray[Any], prediction: NDArray[Any]) -> None:
        """Adds a batch of class indices of any one shape."""
        self.matrix += segmentation.confusion_matrix(target, prediction, len(self.matrix), self.void)

    def compute(self) -> dict[str, float]:
        """mIoU (absent classes skipped) and pixel_accuracy, in [0, 1]."""
        return {
            "mIoU": segmentation.mean_iou(self.matrix),
            "pixel_accuracy": segmentation.pixel_accuracy(self.matrix),
        }


class BalancedAreaMeter:
    """Area under the curve of ab errors with all colours that occur in the set weighing alike; keeps sums by bin of ab."""

    def __init__(self) -> None:
        self._counts, self._sums = np.zeros((), dtype=np.int64), np.zeros(())

    def update(self, predicted: NDArray[Any], true: NDArray[Any]) -> None:
        """Adds pixels: ab (..., 2) in Lab units."""
        counts, sums = ab_error.bin_sums(ab_error.ab_error(predicted, true), true)
        self._counts, self._sums = self._counts + counts, self._sums + sums

    def compute(self) -> float:
        """The area in [0, 1], with the bins' probabilities taken from the set itself; nan before the first pixel."""
        shown = self._counts > 0
        return float((self._sums[shown] / self._counts[shown]).mean()) if shown.any() else float("nan")


class RunningMeter:
    """Mean, smallest and largest of single numbers, such as the PSNR of each picture."""

    def __init__(self) -> None:
        self.count = 0
        self._sum = 0.0
        self._low = float("inf")
        self._high = float("-inf")

    def update(self, values: NDArray[Any] | float) -> None:
        """Adds one number or an array of them."""
        array = np.asarray(values, dtype=np.float64)
        if array.size:
            self.count += array.size
            self._sum += float(array.sum())
            self._low = min(self._low, float(array.min()))
            self._high = max(self._high, float(array.max()))

    def compute(self) -> dict[str, float]:
        """mean, min and max; all nan before the first number."""
        if not self.count:
            return dict.fromkeys(("mean", "min", "max"), float("nan"))
        return {"mean": self._sum / self.count, "min": self._low, "max": self._high}
