"""How near predicted colour is to the true one in CIELAB, whatever the lightness: the area under Zhang's curve.

Zhang, Isola, Efros 2016 (arXiv 1603.08511, section 3.1, "raw accuracy"): the share of pixels whose ab error is at most t,
as a curve over t from 0 to 150, and the area under it. Most pixels of most pictures are nearly grey, so the raw area is
high for grey pictures too; the balanced one, of ``meters.BalancedAreaMeter``, weighs each pixel by the rarity of its true colour.
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


def area_under_curve(error: NDArray[Any]) -> float:
    """Area under the share of pixels with an error of at most t, over t from 0 to 150, in [0, 1]; 1 is without error.

    A pixel of error e is counted from t = e on, so that its part of the area is 1 - e / 150, or 0 beyond.

    Args:
        error: of any shape, 0 or more, in Lab units.
    Raises:
        ValueError: there are none, or one is below 0.
    """
    errors = np.asarray(error, dtype=np.float64)
    if not errors.size or not errors.min() >= 0:
        raise ValueError("there have to be errors, and none of them below 0")
    return float(_parts(errors).mean())


def auc(predicted: NDArray[Any], true: NDArray[Any]) -> float:
    """Raw area of predicted ab against true ab, in [0, 1]: all pixels weigh alike."""
    return area_under_curve(ab_error(predicted, true))


def bin_sums(error: NDArray[Any], true: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Pixels in each bin of the true colour, and the sum of their parts of the area: (23, 23) each.

    These add up over pictures; the mean over bins that occur of sum / pixels is the area in which each pixel weighs the
    inverse probability of its true colour's bin, so that all colours that occur weigh alike.
    Rows are a, columns b, from -110 to 110 in steps of 10.

    Raises:
        ValueError: a true colour is none of sRGB's.
    """
    places = _bins(true)
    counts = np.zeros((2 * _REACH + 1, 2 * _REACH + 1), dtype=np.int64)
    sums = np.zeros(counts.shape)
    np.add.at(counts, places, 1)
    np.add.at(sums, places, _parts(error))
    return counts, sums


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
