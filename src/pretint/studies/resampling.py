"""Scores under weights: what a score would be had each test picture been drawn so many times.

    variance = picture_variance(mean_average_precision(target, arm), mean_average_precision(target, reference), len(target))

Each function takes what n seeds predicted for N test pictures and returns a `Score` of statistics.py, weights (R, N) to scores
(R, n). Weights of 1 give the score of `pretint.metrics`, a weight of 2 counts a picture twice; all R weightings are computed at
once, so that a bootstrap of some hundred draws takes about a second.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pretint.studies.statistics import Score


def mean_average_precision(target: NDArray[Any], probability: NDArray[Any]) -> Score:
    """mAP from targets (N, K) of 0/1 and probabilities (n, N, K); classes without a drawn positive are left out of a draw."""
    truth = np.asarray(target, dtype=bool)
    seeds = np.asarray(probability, dtype=np.float64)
    if truth.ndim != 2 or seeds.ndim != 3 or seeds.shape[1:] != truth.shape:
        raise ValueError(f"targets are (N, K) and probabilities (n, N, K), got {truth.shape} and {seeds.shape}")

    def score(weights: NDArray[np.int64]) -> NDArray[np.float64]:
        counts = _counts(weights, len(truth))
        # (n, K, R) to (R, n)
        by_class = [
            [_average_precision(truth[:, k], one[:, k], counts) for k in range(truth.shape[1])] for one in seeds
        ]
        return _mean_of_present(np.array(by_class), axis=1).T

    return score


def _average_precision(
    truth: NDArray[np.bool_], scores: NDArray[np.float64], counts: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Average precision (R,) of one class under weights (R, N); nan where no positive has weight."""
    order = np.argsort(-scores, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(scores[order])), len(order) - 1)  # last rank of each distinct score
    ranked = counts[:, order]
    retrieved = ranked.cumsum(axis=1)[:, ends]
    found = (ranked * truth[order]).cumsum(axis=1)[:, ends]
    gained = np.diff(found, axis=1, prepend=0)
    # Where nothing is retrieved nothing is gained.
    area = (gained * found / np.maximum(retrieved, 1)).sum(axis=1)
    with np.errstate(invalid="ignore"):
        return np.asarray(area / found[:, -1])


def mean_iou(matrices: NDArray[Any]) -> Score:
    """mIoU from one confusion matrix a seed and picture, (n, N, K, K), row = true class; summed over pictures, then scored.

    Classes in neither target nor prediction of a draw are left out of it.
    """
    seeds = np.asarray(matrices)
    if seeds.ndim != 4 or seeds.shape[2] != seeds.shape[3]:
        raise ValueError(f"confusion matrices have shape (n, N, K, K), got {seeds.shape}")
    n, pictures, classes, _ = seeds.shape
    # Floating point for the sake of BLAS; sums of pixel counts are exact up to 2^53.
    flat = seeds.transpose(1, 0, 2, 3).reshape(pictures, -1).astype(np.float64)

    def score(weights: NDArray[np.int64]) -> NDArray[np.float64]:
        summed = (_counts(weights, pictures) @ flat).reshape(-1, n, classes, classes)
        hits = np.diagonal(summed, axis1=2, axis2=3)
        union = summed.sum(axis=2) + summed.sum(axis=3) - hits
        with np.errstate(invalid="ignore"):
            return _mean_of_present(hits / union, axis=2)

    return score


def top1(hits: NDArray[Any]) -> Score:
    """Share of pictures that are right, from hits (n, N) of 0/1."""
    seeds = np.asarray(hits, dtype=np.float64)
    if seeds.ndim != 2:
        raise ValueError(f"hits have shape (n, N), got {seeds.shape}")

    def score(weights: NDArray[np.int64]) -> NDArray[np.float64]:
        counts = _counts(weights, seeds.shape[1])
        return np.asarray(counts @ seeds.T / counts.sum(axis=1, keepdims=True))

    return score


def _counts(weights: NDArray[np.int64], pictures: int) -> NDArray[np.float64]:
    if np.ndim(weights) != 2 or np.shape(weights)[1] != pictures:
        raise ValueError(f"weights have shape (R, {pictures}), got {np.shape(weights)}")
    return np.asarray(weights, dtype=np.float64)


def _mean_of_present(per_class: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    """Mean over classes of which nan marks the absent ones; nan where all are absent."""
    present = ~np.isnan(per_class)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(present, per_class, 0).sum(axis=axis) / present.sum(axis=axis))
