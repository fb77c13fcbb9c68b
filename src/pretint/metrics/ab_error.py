"""How near predicted colour is to the true one in CIELAB, whatever the lightness: the area under Zhang's curve.

Zhang, Isola, Efros 2016 (arXiv 1603.08511, section 3.1, "raw accuracy"): the share of pixels whose ab error is at most t,
as a curve over t from 0 to 150, and the area under it. Most pixels of most pictures are nearly grey, so the raw area is
high for grey pictures too; the balanced one weighs each pixel by the rarity of its true colour.
Differs from the paper: the area is exact, not a sum over whole thresholds, and the probabilities are not smoothed.

Everywhere ``ab`` is (..., 2): a and b in Lab units, not scaled.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

LARGEST = 150.0
"""Lab units: the largest threshold, and the error from which a pixel counts for nothing."""
GRID = 10
"""Lab units: the side of a bin of ab; bins lie around the multiples of it."""
_REACH = 11  # bins from -110 to 110, which hold all of sRGB


def ab_error(predicted: NDArray[Any], true: NDArray[Any]) -> NDArray[np.float64]:
    """Euclidean distance of a and b at each pixel, (...) in Lab units.

    Raises:
        ValueError: the shapes differ or do not end in 2, or a value is no finite number.
    """
    one, other = np.asarray(predicted, dtype=np.float64), np.asarray(true, dtype=np.float64)
    if one.shape != other.shape or one.ndim < 1 or one.shape[-1] != 2 or not one.size:
        raise ValueError(f"predicted and true ab have one shape (..., 2), got {one.shape} and {other.shape}")
    error = np.asarray(np.hypot(*np.moveaxis(one - other, -1, 0)))
    if not np.isfinite(error).all():
        raise ValueError("ab holds values that are not finite numbers")
    return error


def area_under_curve(error: NDArray[Any], weights: NDArray[Any] | None = None) -> float:
    """Area under the share of pixels with an error of at most t, over t from 0 to 150, in [0, 1]; 1 is without error.

    A pixel of error e is counted from t = e on, so that its part of the area is 1 - e / 150, or 0 beyond.

    Args:
        error: of any shape, 0 or more, in Lab units.
        weights: of the same shape, 0 or more, not all 0; None weighs all pixels alike.
    Raises:
        ValueError: the shapes differ, or a value is out of range.
    """
    errors = np.asarray(error, dtype=np.float64)
    if not errors.size or not errors.min() >= 0:
        raise ValueError("there have to be errors, and none of them below 0")
    parts = _parts(errors)
    if weights is None:
        return float(parts.mean())
    shares = np.asarray(weights, dtype=np.float64)
    if shares.shape != errors.shape or not shares.min() >= 0 or not 0 < shares.sum() < np.inf:
        raise ValueError("there has to be a weight of 0 or more for each error, and not all of them may be 0")
    return float((parts * shares).sum() / shares.sum())


def auc(predicted: NDArray[Any], true: NDArray[Any]) -> float:
    """Raw area of predicted ab against true ab, in [0, 1]: all pixels weigh alike."""
    return area_under_curve(ab_error(predicted, true))


def auc_balanced(predicted: NDArray[Any], true: NDArray[Any], probabilities: NDArray[Any]) -> float:
    """Area in which each pixel weighs the inverse probability of its true colour's bin, in [0, 1].

    Args:
        predicted, true: ab of the pixels.
        probabilities: (23, 23) from `bin_probabilities`. Those of the scored pixels themselves make all colours that
            occur weigh alike; those of a larger set (the training pictures) make scores of several sets comparable.
    Raises:
        ValueError: a true colour lies in a bin of probability 0, whose weight would be infinite.
    """
    error = ab_error(predicted, true)
    found = np.asarray(probabilities, dtype=np.float64)[_bins(true)]
    if not found.min() > 0:
        raise ValueError("a pixel's colour has probability 0; take the probabilities from pixels that hold all colours")
    return area_under_curve(error, 1 / found)


def bin_sums(error: NDArray[Any], true: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Pixels in each bin of the true colour, and the sum of their parts of the area: (23, 23) each.

    These add up over pictures; the mean over bins that occur of sum / pixels is `auc_balanced` with the pixels' own
    probabilities.
    """
    places = _bins(true)
    counts = np.zeros((2 * _REACH + 1, 2 * _REACH + 1), dtype=np.int64)
    sums = np.zeros(counts.shape)
    np.add.at(counts, places, 1)
    np.add.at(sums, places, _parts(error))
    return counts, sums


def bin_probabilities(ab: NDArray[Any]) -> NDArray[np.float64]:
    """Share of the pixels in each bin of ab, (23, 23): rows a, columns b, from -110 to 110 in steps of 10."""
    counts = np.zeros((2 * _REACH + 1, 2 * _REACH + 1))
    np.add.at(counts, _bins(ab), 1)
    return np.asarray(counts / counts.sum())


def _parts(error: NDArray[Any]) -> NDArray[np.float64]:
    return np.asarray(1 - np.minimum(error, LARGEST) / LARGEST)


def _bins(ab: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    values = np.asarray(ab, dtype=np.float64)
    if values.ndim < 1 or values.shape[-1] != 2 or not values.size or not np.isfinite(values).all():
        raise ValueError(f"ab has shape (..., 2) and finite values, got {values.shape}")
    a, b = np.moveaxis(np.rint(values / GRID).astype(np.int64) + _REACH, -1, 0)
    if min(a.min(), b.min()) < 0 or max(a.max(), b.max()) > 2 * _REACH:
        raise ValueError("ab lies beyond -115 to 115, where no colour of sRGB is; give it in Lab units")
    return a, b
