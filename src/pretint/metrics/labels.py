"""Scores of image-level labels: one picture, none, one or several of K classes.

Everywhere `target` is (N, K), 0/1 or boolean, and `score` is (N, K), finite, higher = more likely; those with a
threshold take probabilities in [0, 1]. A class that cannot be scored (no picture of it) is nan in the per-class result
and left out of means.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def average_precision(target: NDArray[Any], score: NDArray[Any]) -> NDArray[np.float64]:
    """Average precision of each class, (K,) in [0, 1]; nan for a class without positives.

    The exact area under the precision-recall steps, sum of (recall gained) x (precision there); equal scores are one
    step, so order within a tie does not matter. VOC's own measure from 2010 on is another, and never lower: it first raises
    precision to the highest at this recall or a greater one.
    """
    truth, scores = checked(target, score)
    return np.array([_one_average_precision(truth[:, k], scores[:, k]) for k in range(truth.shape[1])])


def _one_average_precision(truth: NDArray[np.bool_], scores: NDArray[np.float64]) -> float:
    if not truth.any():
        return float("nan")
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    ends = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)  # last rank of each distinct score
    found = np.cumsum(truth[order])[ends]
    gained = np.diff(found, prepend=0) / found[-1]
    return float(np.sum(gained * found / (ends + 1)))


def mean_average_precision(target: NDArray[Any], score: NDArray[Any]) -> float:
    """mAP: the mean of `average_precision` over classes with positives; nan if no class has one."""
    return mean_over_classes(average_precision(target, score))


def f1_per_class(target: NDArray[Any], probability: NDArray[Any], threshold: float = 0.5) -> NDArray[np.float64]:
    """F1 of each class, (K,); predicted where probability >= threshold; nan if neither present nor predicted."""
    hits, present, predicted = _counts(target, probability, threshold)
    with np.errstate(invalid="ignore"):
        return np.asarray(2 * hits / (present + predicted))


def f1_macro(target: NDArray[Any], probability: NDArray[Any], threshold: float = 0.5) -> float:
    """Mean of `f1_per_class` over classes that are present or predicted anywhere."""
    return mean_over_classes(f1_per_class(target, probability, threshold))


def f1_micro(target: NDArray[Any], probability: NDArray[Any], threshold: float = 0.5) -> float:
    """F1 over all (picture, class) pairs together; nan if nothing is present or predicted."""
    hits, present, predicted = (float(c.sum()) for c in _counts(target, probability, threshold))
    return 2 * hits / (present + predicted) if present + predicted else float("nan")


def top1(target: NDArray[Any], score: NDArray[Any]) -> float:
    """Share of pictures whose highest-scored class is one of their labels; of equal scores the first class counts.

    With one label a picture this is ordinary accuracy.
    """
    truth, scores = checked(target, score)
    return float(truth[np.arange(len(truth)), scores.argmax(axis=1)].mean())


def mean_over_classes(per_class: NDArray[np.float64]) -> float:
    """Mean of (K,) in which nan marks absent classes, which are left out; nan if nothing is left to average."""
    present = per_class[~np.isnan(per_class)]
    return float(present.mean()) if present.size else float("nan")


def _counts(
    target: NDArray[Any], probability: NDArray[Any], threshold: float
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """True positives, positives and predicted positives of each class, (K,) each."""
    truth, probabilities = checked(target, probability)
    if probabilities.min() < 0 or probabilities.max() > 1:
        raise ValueError("F1 takes probabilities in [0, 1]; squash the logits first")
    predicted = probabilities >= threshold
    return (truth & predicted).sum(axis=0), truth.sum(axis=0), predicted.sum(axis=0)


def checked(target: NDArray[Any], score: NDArray[Any]) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Targets as bool (N, K) and scores as float64 (N, K).

    Raises:
        ValueError: they differ in shape, a target is neither 0 nor 1, or a score is no finite number.
    """
    truth, scores = np.asarray(target), np.asarray(score, dtype=np.float64)
    if truth.ndim != 2 or truth.shape != scores.shape or truth.size == 0:
        raise ValueError(f"targets and scores have one shape (N, K), got {truth.shape} and {scores.shape}")
    if not np.isin(truth, (0, 1)).all():
        raise ValueError("targets are 0 or 1")
    if not np.isfinite(scores).all():
        raise ValueError("scores hold values that are not finite numbers")
    return truth.astype(bool), scores
