"""Scores of label maps, all from one confusion matrix of 64-bit counts over every pixel of the set.

Sum the matrices of all batches, then score once: a mean of batch scores is another number, and float32 counts stop
growing at 2^24 pixels.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pretint.metrics.labels import mean_over_classes


def confusion_matrix(
    target: NDArray[Any], prediction: NDArray[Any], classes: int, void: int | None = 255
) -> NDArray[np.int64]:
    """Pixel counts (K, K), int64: row = true class, column = predicted class.

    Args:
        target: class indices 0..K-1 of any shape, or `void` where a pixel is not scored.
        prediction: class indices 0..K-1 of the same shape; anything at void pixels.
        classes: K.
        void: the index that is left out; None scores every pixel.
    Raises:
        ValueError: shapes differ, an array is not of integers, or an index lies outside 0..K-1.
    """
    truth, guess = np.asarray(target), np.asarray(prediction)
    if truth.shape != guess.shape:
        raise ValueError(f"target and prediction differ in shape: {truth.shape} and {guess.shape}")
    for array in (truth, guess):
        if not np.issubdtype(array.dtype, np.integer):
            raise ValueError(f"label maps hold integers, got {array.dtype}")
    scored = np.ones(truth.shape, dtype=bool) if void is None else truth != void
    truth, guess = truth[scored].astype(np.int64), guess[scored].astype(np.int64)
    for name, array in (("target", truth), ("prediction", guess)):
        if array.size and (array.min() < 0 or array.max() >= classes):
            raise ValueError(f"{name} holds {array.min()} to {array.max()}, outside 0..{classes - 1}")
    counts = np.bincount(truth * classes + guess, minlength=classes * classes)
    return counts.reshape(classes, classes).astype(np.int64)


def iou_per_class(matrix: NDArray[np.int64]) -> NDArray[np.float64]:
    """Intersection over union of each class, (K,); nan for a class that is in neither target nor prediction."""
    hits = np.diag(matrix)
    union = matrix.sum(axis=0) + matrix.sum(axis=1) - hits
    with np.errstate(invalid="ignore"):
        return np.asarray(hits / union)


def mean_iou(matrix: NDArray[np.int64]) -> float:
    """mIoU: mean of `iou_per_class`; classes in neither target nor prediction are left out."""
    return mean_over_classes(iou_per_class(matrix))


def pixel_accuracy(matrix: NDArray[np.int64]) -> float:
    """Share of scored pixels that are right; nan without any."""
    total = int(matrix.sum())
    return int(np.trace(matrix)) / total if total else float("nan")
