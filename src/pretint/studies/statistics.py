"""Is a difference between two arms more than chance? Intervals over seeds, corrected p-values, a verdict in words.

    difference = paired_difference(arm, reference, picture_variance=variance, pictures=345)
    adjusted = holm([difference.p, *others])
    verdict(difference, adjusted[0])

Everywhere `n` is the number of seeds, scores are in [0, 1], and the two arms of a difference are paired: seed s has the same
labels, order and crops in both. Student 1908 for the paired t; Banerjee 1960 (Sankhya 22, 357) for two variances in one
interval; Holm 1979 (Scandinavian Journal of Statistics 6, 65). What the numbers mean in plain words: docs/statistics.md.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import stdtr, stdtrit

Verdict = Literal["helped", "no evidence", "hurt", "identical", "too few seeds"]

Score = Callable[[NDArray[np.int64]], NDArray[np.float64]]
"""Scores (R, n) of n seeds on R weightings (R, N) of N test pictures: how often each picture is counted."""

_NO_SPREAD = 1e-12  # deviations of scores in [0, 1] below this are rounding
_ALPHA = 0.05  # a verdict needs a corrected p below it
_SMALLEST_P = 1e-30


@dataclass(frozen=True, kw_only=True)
class Interval:
    """The scores of one cell over its seeds. `deviation`, `low` and `high` are None where there is one seed."""

    mean: float
    deviation: float | None
    """Standard deviation over seeds, with n - 1 below."""
    low: float | None
    high: float | None
    n: int


@dataclass(frozen=True, kw_only=True)
class Difference:
    """An arm minus its reference, paired over seeds. `low`, `high` and `p` are None where nothing can be said of chance."""

    mean: float
    deviation: float | None
    """Standard deviation over seeds of the paired differences, with n - 1 below; None for one seed."""
    low: float | None
    high: float | None
    p: float | None
    """Two-sided, of no difference; not corrected for other comparisons."""
    n: int
    spread: float | None
    """How far single trainings of one arm lie apart over seeds: root mean square of the two arms' deviations; None for one seed."""
    identical: bool
    """Every score equals its partner's to the last bit."""
    confidence: float


def interval(scores: NDArray[Any] | Sequence[float], confidence: float = 0.95) -> Interval:
    """Student's t interval of the mean over seeds, from scores (n,).

    It speaks of further seeds on the same test pictures, and assumes that scores scatter about normally over seeds.

    Raises:
        ValueError: no scores, not one row of them, or one that is not a finite number.
    """
    values = _scores(scores)
    mean, n = float(values.mean()), len(values)
    if n == 1:
        return Interval(mean=mean, deviation=None, low=None, high=None, n=1)
    deviation = float(values.std(ddof=1))
    half = float(half_width(deviation**2 / n, n, tail=(1 - confidence) / 2))
    return Interval(mean=mean, deviation=deviation, low=mean - half, high=mean + half, n=n)


def paired_difference(
    arm: NDArray[Any] | Sequence[float],
    reference: NDArray[Any] | Sequence[float],
    *,
    picture_variance: float = 0.0,
    pictures: int | None = None,
    spread: float | None = None,
    confidence: float = 0.95,
) -> Difference:
    """The mean difference of two arms with its interval: a paired t over seeds, widened by the sampling of test pictures.

    Two things are chance in the mean difference d of n seeds, all scored on one test set:

        d = true difference + (what these pictures favour in every seed) + (mean over seeds of what each seed adds)

    The deviation s of the n differences shows the last term alone: the middle one is the same number in all of them and
    cancels from s. Its variance V must come from the pictures (`picture_variance` below), with N - 1 degrees of freedom as for
    any variance estimated from N pictures. The interval is Banerjee's:

        half width = sqrt(t(n - 1)^2 s^2 / n + t(N - 1)^2 V)

    and p is the level at which it just reaches 0. It covers at least as often as it claims, for every ratio of the two variances,
    and it is never narrower than the interval of the seeds alone: pictures can make a verdict less sure, never surer.
    Satterthwaite's approximation has neither property; at three seeds it errs in up to 7.7 % for 5 % claimed.

    With V = 0 it is `scipy.stats.ttest_rel`, and the interval speaks of further seeds on the same test pictures; with V of further
    seeds and further pictures from the same source.

    Args:
        arm: scores (n,), seed by seed.
        reference: scores (n,) of the same seeds.
        picture_variance: V, in squared scores.
        pictures: N, the number of test pictures behind V.
        spread: of single trainings, where the scores are means over several of them; else it follows from the scores.
        confidence: of the interval, in (0, 1).
    Raises:
        ValueError: the arms differ in length, a score is not a finite number, or V stands without N.
    """
    scores, others = _scores(arm), _scores(reference)
    if len(scores) != len(others):
        raise ValueError(f"paired scores come from the same seeds, got {len(scores)} and {len(others)}")
    if picture_variance < 0 or (picture_variance > 0 and (pictures is None or pictures < 2)):
        raise ValueError("picture_variance is 0 or more and needs the number of test pictures, 2 or more")
    n = len(scores)
    differences = scores - others
    mean = float(differences.mean())
    many = n > 1
    deviation = float(differences.std(ddof=1)) if many else None
    if many and spread is None:
        spread = float(np.sqrt((scores.var(ddof=1) + others.var(ddof=1)) / 2))
    identical = bool(np.array_equal(scores, others))
    low = high = p = None
    if identical:
        low, high, p = 0.0, 0.0, 1.0
    elif deviation is not None and deviation > _NO_SPREAD:
        # Equal differences of a few seeds do not prove that seeds add nothing: two seeds scored on 100 pictures agree to the
        # picture in one of twenty comparisons, by chance alone.
        seed_variance = deviation**2 / n
        half = float(half_width(seed_variance, n, picture_variance, pictures, tail=(1 - confidence) / 2))
        low, high = mean - half, mean + half
        p = _p(mean, seed_variance, n, picture_variance, pictures)
    return Difference(
        mean=mean, deviation=deviation, low=low, high=high, p=p, n=n,
        spread=spread, identical=identical, confidence=confidence,
    )  # fmt: skip


def half_width(
    seed_variance: Any, n: int, picture_variance: Any = 0.0, pictures: int | None = None, *, tail: float = 0.025
) -> Any:
    """Half of Banerjee's interval that leaves `tail` on each side; see `paired_difference`.

    Both variances are those of the mean; arrays of them give an array.
    """
    squared = stdtrit(n - 1, tail) ** 2 * seed_variance
    if pictures is not None:
        squared = squared + stdtrit(pictures - 1, tail) ** 2 * picture_variance
    return np.sqrt(squared)


def _p(mean: float, seed_variance: float, n: int, picture_variance: float, pictures: int | None) -> float:
    """The two-sided level at which the interval just reaches 0, at least 1e-30."""
    if not picture_variance:
        return float(2 * stdtr(n - 1, -abs(mean) / np.sqrt(seed_variance)))
    if mean == 0:
        return 1.0

    def gap(log_p: float) -> float:
        reach = half_width(seed_variance, n, picture_variance, pictures, tail=float(np.exp(log_p)) / 2)
        return float(reach) - abs(mean)

    smallest = float(np.log(_SMALLEST_P))
    return float(np.exp(brentq(gap, smallest, 0.0))) if gap(smallest) > 0 else _SMALLEST_P


def picture_variance(
    arm: Score, reference: Score, pictures: int, *, pretrainings: int = 1, seed: int = 0, replicates: int = 400
) -> float:
    """Variance of what the test pictures favour in every seed, for `paired_difference`; by bootstrap over pictures.

    The N pictures are drawn anew with replacement, the same draw for both arms and all seeds, and the n differences of the
    score are computed on each draw. Returned is the mean covariance between two *different* seeds. A seed's own variance would
    also hold what the pictures favour in that seed alone, which the deviation over seeds holds already. So two arms of one kind
    get about 0, however much their single runs differ. Where seeds share pretrainings, as many as there are, these take the seeds'
    place: their scores are means over their seeds (`by_pretraining`). Negative estimates become 0.

    For one seed it is that seed's own variance. The score need not be a mean over pictures; for a mean the result is unbiased.

    Args:
        arm: the arm's scores under weights, see `Score` and resampling.py.
        reference: the same of the reference, for the same seeds and pictures.
        pictures: N, 2 or more.
        pretrainings: that the seeds take in turn.
        seed: of the draws; the same seed gives the same draws for any two arms.
        replicates: R, how many draws; the result is good to about sqrt(2 / R).
    Raises:
        ValueError: fewer than two pictures, or fewer than two draws on which the score exists.
    """
    if pictures < 2:
        raise ValueError(f"pictures cannot be drawn anew from {pictures}")
    draws = np.random.Generator(np.random.Philox(key=seed))
    weights = draws.multinomial(
        pictures, np.full(pictures, 1 / pictures), size=replicates
    )  # (R, N), each row sums to N
    differences = by_pretraining(pretrainings, arm(weights) - reference(weights))  # (R, n)
    differences = differences[np.isfinite(differences).all(axis=1)]
    if len(differences) < 2:
        raise ValueError("the score cannot be computed on resampled pictures")
    covariance = np.atleast_2d(np.cov(differences, rowvar=False))  # (n, n)
    n = len(covariance)
    common = covariance[~np.eye(n, dtype=bool)].mean() if n > 1 else covariance[0, 0]
    return max(0.0, float(common)) * pictures / (pictures - 1)  # a bootstrap's variance is short by (N - 1) / N


def by_pretraining(several: int, scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scores that are independent of each other: of each seed, or where seeds take one of several pretrainings in turn, the mean
    over every ``several``-th seed.

    Args:
        several: how many pretrainings.
        scores: (..., seeds).

    Returns:
        (..., seeds), or (..., several) where there are fewer pretrainings than seeds, and more than one.
    """
    if several == 1 or several >= scores.shape[-1]:
        return scores
    return np.stack([scores[..., first::several].mean(axis=-1) for first in range(several)], axis=-1)


def holm(p: NDArray[Any] | Sequence[float | None]) -> NDArray[np.float64]:
    """Holm's adjusted p-values (m,): rejecting those below alpha errs anywhere in the family with at most alpha.

    None or nan stands for a comparison that was not tested; it stays nan and does not count.

    Raises:
        ValueError: a p-value lies outside [0, 1].
    """
    values = np.asarray(p, dtype=np.float64)
    tested = np.flatnonzero(~np.isnan(values))
    if ((values[tested] < 0) | (values[tested] > 1)).any():
        raise ValueError("p-values lie in [0, 1]")
    adjusted = np.full(values.shape, np.nan)
    order = tested[np.argsort(values[tested], kind="stable")]
    left = np.arange(len(order), 0, -1)  # m, m - 1, ..., 1: how many hypotheses are still standing
    adjusted[order] = np.minimum(np.maximum.accumulate(left * values[order]), 1)
    return adjusted


def verdict(difference: Difference, adjusted_p: float | None) -> Verdict:
    """What the difference says, from its p-value after Holm's correction (`holm`); None or nan where there is none."""
    if difference.identical:
        return "identical"
    if difference.p is None or adjusted_p is None or np.isnan(adjusted_p):
        return "too few seeds"
    if adjusted_p >= _ALPHA:
        return "no evidence"
    return "helped" if difference.mean > 0 else "hurt"


def words(
    difference: Difference,
    verdict: Verdict,
    *,
    arm: str = "the arm",
    reference: str = "scratch",
    comparisons: int = 1,
    unit: str = "seed",
) -> str:
    """The comparison as one sentence: points (scores x 100), interval, seeds, verdict.

    Args:
        difference: of the two arms.
        verdict: of `verdict`.
        arm: what the arm is called.
        reference: what its reference is called.
        comparisons: m, how many the p-value was corrected for.
        unit: what the n paired scores are of: a seed, or a pretraining.
    """
    n = difference.n
    seeds = f"one {unit}" if n == 1 else f"{n} {unit}s"
    if verdict == "identical":
        return f"{arm} and {reference} have identical scores on {f'one {unit}' if n == 1 else f'all {seeds}'}."
    ends = [100 * end for end in (difference.mean, difference.low, difference.high) if end is not None]
    digits = 1 if max(map(abs, ends)) >= 1 else 2
    way = "above" if difference.mean >= 0 else "below"
    says = f"{arm} scores {abs(100 * difference.mean):.{digits}f} points {way} {reference}"
    if difference.low is None or difference.high is None:
        if n == 1:
            return f"{says} on {seeds}: too few {unit}s to tell it from chance."
        return f"{says} on each of {seeds}, without any spread that would tell it from chance: too few different seeds."
    low, high = (f"{100 * end:.{digits}f}" for end in (difference.low, difference.high))
    says += f" ({100 * difference.confidence:g} % interval {low} to {high}, {seeds}): "
    if verdict == "no evidence":
        says += f"no evidence that it helped or hurt{_although(difference, comparisons)}"
    else:
        says += verdict + (f", also after correction for {comparisons} comparisons" if comparisons > 1 else "")
    if difference.spread is not None and abs(difference.mean) < difference.spread:
        says += f"; the difference is smaller than the spread over seeds ({100 * difference.spread:.{digits}f} points)"
    return says + "."


def _although(difference: Difference, comparisons: int) -> str:
    """Why an interval that leaves out 0 is no evidence: it is the interval of one comparison."""
    assert difference.low is not None
    assert difference.high is not None
    alone = not difference.low <= 0 <= difference.high
    return f" once corrected for {comparisons} comparisons" if alone and comparisons > 1 else ""


def _scores(scores: NDArray[Any] | Sequence[float]) -> NDArray[np.float64]:
    values = np.asarray(scores, dtype=np.float64)
    if values.ndim != 1 or not values.size:
        raise ValueError(f"scores have shape (n,) with one or more seeds, got {values.shape}")
    if not np.isfinite(values).all():
        raise ValueError("scores hold values that are not finite numbers")
    return values
