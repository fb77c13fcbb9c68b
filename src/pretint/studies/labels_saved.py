"""Labels saved: what share of the labels does a pretrained arm need to reach scratch's score with all of them?

    saved = labels_saved([0.1, 0.3, 1.0], scratch=scores_with_all, pretrained=scores_by_fraction)
    saved.fraction, saved.low, saved.high, saved.words

The pretrained arm's learning curve (score over the logarithm of the fraction) is read between the measured fractions, and the
interval holds every fraction at which its score cannot be told from scratch's: a test at each fraction, turned around (Fieller
1954, Journal of the Royal Statistical Society B 16, 175). How often such intervals hold the truth: docs/statistics.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

from pretint.studies.statistics import half_width

_CONFIDENCE = 0.95  # of the interval
_WIDEST_GAP = 4.0
"""Neighbouring fractions further apart than this factor say nothing of the curve's bend between them."""
_BEND = 1.5
"""How many times the readings' distance the curve may lie away; 1 is too little for steep curves at three fractions."""
_POINTS = 500  # where the curve is read, evenly in the logarithm; 0.6 % apart for fractions from 0.05


@dataclass(frozen=True, kw_only=True)
class LabelsSaved:
    """A share of the labels in (0, 1], with its interval."""

    fraction: float | None
    """Where the curve reaches scratch's score; None where it does not within the measured fractions."""
    low: float | None
    """None: it may be fewer labels than the smallest fraction measured."""
    high: float | None
    """None: it may be more than all labels."""
    already: bool
    """The mean curve lies above scratch's score from the fewest labels on; then ``fraction`` is None."""
    words: str
    """All of it as one sentence."""


def labels_saved(
    fractions: NDArray[Any] | Sequence[float],
    scratch: NDArray[Any] | Sequence[float],
    pretrained: NDArray[Any] | Sequence[Sequence[float]],
    *,
    picture_variance: float = 0.0,
    pictures: int | None = None,
    arm: str = "the arm",
    reference: str = "scratch",
    unit: str = "seed",
) -> LabelsSaved:
    """The fraction of labels at which the pretrained arm reaches scratch's score with all labels.

    At each fraction f the difference pretrained(f) - scratch(1) is taken seed by seed and gets the t interval of
    `statistics.paired_difference`. The pretrained score between two measured fractions is read from the parabolas through three
    neighbours, blended from left to right. The readings do not agree (left parabola, right parabola, straight line), and 1.5
    times their largest distance widens the interval on both sides, since the true bend is not known. Fractions f where the
    widened interval holds 0 make the interval; where it reaches the smallest fraction or all labels it is open there.

    Where the curve has fewer than three fractions, or two neighbours more than a factor of four apart, nothing is read between
    them: only that more labels do no harm is used, and the interval ends at measured fractions. With 0.1 and 1 alone it can say
    "between 10 % and 100 %" and no more; one fraction between them makes it useful.

    The fraction itself is where the mean curve, made monotone by isotonic regression, crosses; with two fractions a straight line
    over the logarithm.

    Args:
        fractions: (F,), two or more, ascending, in (0, 1], the last 1.
        scratch: scores (n,) of scratch with all labels, seed by seed, in [0, 1].
        pretrained: scores (F, n) of the same seeds.
        picture_variance: variance that the test pictures add to the difference, see `statistics.paired_difference`.
        pictures: number of test pictures behind it.
        arm: what the pretrained arm is called.
        reference: what scratch is called.
        unit: what the n scores are of: "seed", or "pretraining" where each is a mean over the seeds of one.

    Raises:
        ValueError: fractions do not ascend to 1, shapes do not fit, or a score is not a finite number.
    """
    shares, difference = _checked(fractions, scratch, pretrained)
    n = difference.shape[1]
    x = np.log(shares)
    grid = np.unique(np.concatenate([np.linspace(x[0], 0, _POINTS), x]))
    asked = np.exp(grid)
    asked[np.searchsorted(grid, x)] = shares  # without the rounding of exp(log)
    curve, doubt, unread = _read(x, grid, difference)
    rising = np.asarray(isotonic_regression(curve.mean(axis=1)).x)
    fraction, already = _crossing(asked, rising), bool(rising[0] > 0)
    low = high = None
    if n > 1:
        mean, variance = curve.mean(axis=1), curve.var(axis=1, ddof=1) / n
        half = half_width(variance, n, picture_variance, pictures, tail=(1 - _CONFIDENCE) / 2) + doubt
        lower, upper = _unread_bounds(x, grid, mean - half, mean + half, unread)
        low, high = _limits(asked, lower, upper)
    said = _words(fraction, already, low, high, shares, n, arm, reference, unit)
    return LabelsSaved(fraction=fraction, low=low, high=high, already=already, words=said)


def _read(
    x: NDArray[np.float64], grid: NDArray[np.float64], values: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """The curve between its points: (G, n) at the grid, how far the truth may be away (G,), where nothing is read (G,).

    `x` (F,) are logarithms of the measured fractions, `grid` (G,) those asked for, `values` (F, n) what was measured.
    """
    last = len(x) - 1
    left = np.clip(np.searchsorted(x, grid, side="right") - 1, 0, last - 1)  # the measured point on the left
    share = ((grid - x[left]) / (x[left + 1] - x[left]))[:, None]  # 0 at the left point, 1 at the right
    straight = (1 - share) * values[left] + share * values[left + 1]
    measured = np.isin(grid, x)
    if last < 2:
        return straight, np.zeros(len(grid)), ~measured
    before = _parabola(x, grid, values, np.clip(left - 1, 0, last - 2))
    after = _parabola(x, grid, values, np.clip(left, 0, last - 2))
    blend = (1 - share) * before + share * after
    readings = np.stack([straight, before, after]).mean(axis=2)
    doubt = _BEND * np.abs(readings - blend.mean(axis=1)).max(axis=0)
    doubt[measured] = 0
    unread = ~measured & (x[left + 1] - x[left] > np.log(_WIDEST_GAP) + 1e-9)
    return np.where(unread[:, None], straight, blend), np.where(unread, 0, doubt), unread


def _parabola(
    x: NDArray[np.float64], grid: NDArray[np.float64], values: NDArray[np.float64], first: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Lagrange's parabola through the points first, first + 1 and first + 2, at each point of the grid: (G, n)."""
    total = np.zeros((len(grid), values.shape[1]))
    for one in range(3):
        weight = np.ones(len(grid))
        for other in range(3):
            if other != one:
                weight *= (grid - x[first + other]) / (x[first + one] - x[first + other])
        total += weight[:, None] * values[first + one]
    return total


def _crossing(fractions: NDArray[np.float64], rising: NDArray[np.float64]) -> float | None:
    """Where a curve that never falls reaches 0, between two points by a straight line; None if it starts above or ends below."""
    if rising[0] > 0 or rising[-1] < 0:
        return None
    i = int(np.argmax(rising >= 0))
    if i == 0:
        return float(fractions[0])
    share = -rising[i - 1] / (rising[i] - rising[i - 1])
    return float(fractions[i - 1] + share * (fractions[i] - fractions[i - 1]))


def _unread_bounds(
    x: NDArray[np.float64],
    grid: NDArray[np.float64],
    lower: NDArray[np.float64],
    upper: NDArray[np.float64],
    unread: NDArray[np.bool_],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The ends of the difference's interval where nothing is read: the curve lies between its left point and its right one."""
    at = np.searchsorted(grid, x)
    left = np.clip(np.searchsorted(x, grid, side="right") - 1, 0, len(x) - 2)
    return np.where(unread, lower[at[left]], lower), np.where(unread, upper[at[left + 1]], upper)


def _limits(
    fractions: NDArray[np.float64], lower: NDArray[np.float64], upper: NDArray[np.float64]
) -> tuple[float | None, float | None]:
    """The interval of fractions, from the ends (G,) of the difference's interval; rounded outwards to the grid (G,)."""
    low = high = None
    if upper[0] < 0:  # surely too few labels there
        reached = np.flatnonzero(upper >= 0)
        low = float(fractions[reached[0] - 1] if reached.size else 1.0)
    if lower[-1] > 0:  # surely more labels than needed there
        not_yet = np.flatnonzero(lower <= 0)
        high = float(fractions[not_yet[-1] + 1] if not_yet.size else fractions[0])
    return low, high


def _words(
    fraction: float | None,
    already: bool,
    low: float | None,
    high: float | None,
    shares: NDArray[np.float64],
    n: int,
    arm: str,
    reference: str,
    unit: str,
) -> str:
    goal = f"what {reference} scores with all"
    if fraction is not None:
        says = f"with {_percent(fraction)} of the labels, {arm} scores {goal}"
    elif already:
        says = f"with {_percent(shares[0])} of the labels, the fewest measured, {arm} already scores more than {goal}"
    else:
        says = f"even with all labels, {arm} scores less than {goal}"
    if n == 1:
        return f"{says} (one {unit}: no interval)."
    name = f"{100 * _CONFIDENCE:g} % interval"
    if low is None and high is None:
        return f"{says} ({name} open at both ends: {n} {unit}s cannot tell)."
    if low is None:
        return f"{says} ({name}: at most {_percent(high)})."
    if high is None:
        return f"{says} ({name}: at least {_percent(low)})."
    both = f"{says} ({name} {_percent(low)} to {_percent(high)}"
    return f"{both}; nothing was measured between)." if _neighbours(low, high, shares) else f"{both})."


def _neighbours(low: float, high: float, shares: NDArray[np.float64]) -> bool:
    """Whether the interval lies between two measured fractions that follow each other."""
    at = np.flatnonzero(shares == low)
    return bool(at.size and low < 1 and shares[at[0] + 1] == high)


def _percent(share: float | None) -> str:
    assert share is not None
    return f"{100 * share:.0f} %" if share >= 0.0995 else f"{100 * share:.2g} %"


def _checked(fractions: Any, scratch: Any, pretrained: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Fractions (F,) and differences pretrained(f) - scratch(1), (F, n)."""
    shares, goal, scores = (np.asarray(given, dtype=np.float64) for given in (fractions, scratch, pretrained))
    if shares.ndim != 1 or len(shares) < 2 or (np.diff(shares) <= 0).any() or shares[0] <= 0 or shares[-1] != 1:
        raise ValueError(f"fractions are two or more, ascend from above 0 and end at 1, got {shares.tolist()}")
    if goal.ndim != 1 or not goal.size or scores.shape != (len(shares), len(goal)):
        raise ValueError(f"scores have shapes (n,) and ({len(shares)}, n), got {goal.shape} and {scores.shape}")
    if not (np.isfinite(goal).all() and np.isfinite(scores).all()):
        raise ValueError("scores hold values that are not finite numbers")
    return shares, scores - goal
