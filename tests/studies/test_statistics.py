"""Intervals, p-values and verdicts against scipy, cases worked by hand, and simulated studies whose truth is known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from pretint.studies.statistics import (
    Difference,
    holm,
    interval,
    paired_difference,
    picture_variance,
    verdict,
    words,
)

SCORES = st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=3, max_size=10)


def conclusions(rng: np.random.Generator, n: int, comparisons: int, effect: float = 0.0) -> list[str]:
    """The verdicts of one simulated study: `comparisons` arms against one scratch, the first better by `effect`.

    Each seed has an ease of its own that both arms share; an arm's deviation of the paired difference is 1 % of the score.
    """
    ease = rng.normal(0.5, 0.03, n)
    scratch = ease + rng.normal(0, 0.01 / np.sqrt(2), n)
    arms = ease + rng.normal(0, 0.01 / np.sqrt(2), (comparisons, n))
    arms[0] += effect * 0.01
    differences = [paired_difference(arm, scratch) for arm in arms]
    adjusted = holm([difference.p for difference in differences])
    return [verdict(difference, p) for difference, p in zip(differences, adjusted, strict=True)]


def test_interval_is_scipys():
    scores = np.random.default_rng(0).random(7)
    mine = interval(scores, confidence=0.9)
    low, high = stats.t.interval(0.9, 6, loc=scores.mean(), scale=stats.sem(scores))
    assert (mine.low, mine.high) == (pytest.approx(low), pytest.approx(high))
    assert (mine.mean, mine.deviation, mine.n) == (pytest.approx(scores.mean()), pytest.approx(stats.tstd(scores)), 7)


def test_interval_by_hand():
    # Mean 0.5, deviation 0.1, t of 2 degrees of freedom at 97.5 %: 4.3027.
    mine = interval([0.4, 0.5, 0.6])
    assert mine.high == pytest.approx(0.5 + 4.3027 * 0.1 / 3**0.5, abs=1e-5)


def test_one_seed_has_no_interval():
    mine = interval([0.4])
    assert (mine.mean, mine.deviation, mine.low, mine.high, mine.n) == (0.4, None, None, None, 1)


@settings(max_examples=50, deadline=None)
@given(SCORES)
def test_paired_difference_is_scipys(pairs):
    arm, reference = np.array(pairs).T
    if np.std(arm - reference) < 1e-6:
        return
    mine = paired_difference(arm, reference)
    theirs = stats.ttest_rel(arm, reference)
    assert mine.p == pytest.approx(theirs.pvalue, rel=1e-6)
    assert (mine.low, mine.high) == pytest.approx(tuple(theirs.confidence_interval(0.95)))
    assert mine.deviation == pytest.approx(stats.tstd(arm - reference))


def test_picture_part_by_hand():
    # Differences 0.1, 0.2, 0.3: s^2 / n = 0.01 / 3, t(2) = 4.3027; V = 0.01, t(100) = 1.9840.
    mine = paired_difference([0.5, 0.6, 0.7], [0.4, 0.4, 0.4], picture_variance=0.01, pictures=101)
    half = (4.3027**2 * 0.01 / 3 + 1.9840**2 * 0.01) ** 0.5
    assert mine.high == pytest.approx(0.2 + half, abs=1e-4)
    assert mine.low == pytest.approx(0.2 - half, abs=1e-4)


@settings(max_examples=50, deadline=None)
@given(SCORES, st.floats(0, 0.1), st.integers(2, 500))
def test_pictures_never_make_a_verdict_surer(pairs, variance, pictures):
    arm, reference = np.array(pairs).T
    if np.std(arm - reference) < 1e-6:
        return
    alone = paired_difference(arm, reference)
    both = paired_difference(arm, reference, picture_variance=variance, pictures=pictures)
    assert both.p >= alone.p * (1 - 1e-6)
    assert both.high - both.low >= (alone.high - alone.low) * (1 - 1e-9)


def test_p_is_where_the_interval_reaches_zero():
    rng = np.random.default_rng(1)
    for scale in (0.001, 0.01, 0.1):
        arm, reference = rng.normal(0.6, scale, 5), rng.normal(0.5, scale, 5)
        p = paired_difference(arm, reference, picture_variance=0.0004, pictures=50).p
        at_p = paired_difference(arm, reference, picture_variance=0.0004, pictures=50, confidence=1 - p)
        assert at_p.low * at_p.high == pytest.approx(0, abs=1e-6)


def test_p_beyond_the_precision_of_one_minus_p():
    # A picture part of next to nothing: p is the paired t's, also far below 1e-16.
    arm, reference = np.array([0.6, 0.7, 0.8, 0.7]) + np.array([0, 1e-7, -1e-7, 2e-7]), np.array([0.1, 0.2, 0.3, 0.2])
    both = paired_difference(arm, reference, picture_variance=1e-25, pictures=10)
    assert both.p == pytest.approx(stats.ttest_rel(arm, reference).pvalue, rel=1e-3)
    assert both.p < 1e-18


@pytest.mark.parametrize("pictures", [{}, {"picture_variance": 0.0025, "pictures": 41}])
def test_equal_differences_of_few_seeds_prove_nothing(pictures):
    # Two seeds scored on a few pictures agree to the picture now and then: that is no proof that seeds add nothing.
    mine = paired_difference([0.6, 0.7], [0.5, 0.6], **pictures)
    assert (mine.p, mine.low, mine.high) == (None, None, None)
    assert verdict(mine, None) == "too few seeds"
    assert "without any spread" in words(mine, "too few seeds")


def test_two_seeds_on_twenty_pictures_err_as_seldom_as_they_claim():
    """Number of right pictures of 20, two seeds, no difference between the arms: a verdict in at most 5 % of 4,000 studies."""
    rng = np.random.default_rng(0)
    scores = rng.binomial(20, 0.7, size=(4000, 2, 2)) / 20
    found = [paired_difference(one[0], one[1], picture_variance=1e-6, pictures=20) for one in scores]
    assert np.mean([one.p is not None and one.p < 0.05 and not one.identical for one in found]) < 0.05
    assert np.mean([one.p is not None and one.p < 1e-6 for one in found]) < 0.0005


def test_identical_arms():
    scores = np.random.default_rng(2).random(5)
    mine = paired_difference(scores, scores.copy(), picture_variance=0.01, pictures=100)
    assert (mine.mean, mine.low, mine.high, mine.p, mine.identical) == (0, 0, 0, 1, True)
    assert verdict(mine, 1.0) == "identical"
    assert words(mine, "identical", arm="a", reference="b") == "a and b have identical scores on all 5 seeds."


def test_one_seed_is_too_few():
    mine = paired_difference([0.7], [0.5], picture_variance=0.01, pictures=100)
    assert (mine.deviation, mine.low, mine.p, mine.spread) == (None, None, None, None)
    assert verdict(mine, holm([mine.p])[0]) == "too few seeds"
    says = words(mine, "too few seeds", arm="photos")
    assert says == "photos scores 20.0 points above scratch on one seed: too few seeds to tell it from chance."


def test_holm_by_hand():
    # Holm's procedure for m = 4: 0.01 x 4, 0.02 x 3, 0.03 x 2, 0.04 x 1, each at least the one before.
    assert holm([0.03, 0.01, 0.04, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([0.6, 0.9]) == pytest.approx([1, 1])
    assert holm([]).shape == (0,)


def test_holm_of_a_published_case():
    # The example of statsmodels' tests (pval0, checked there against R's multtest): the four smallest x 10, 9, 8, 7.
    p = [0.838541367553, 0.642193923795, 0.680845947633, 0.967833824309, 0.71626938238]
    p += [0.177096952723, 5.23656777208e-5, 0.0202732688798, 0.00028140506198, 0.0149877310796]
    expected = [1, 1, 1, 1, 1, 1, 5.23656777208e-4, 0.1419128821586, 0.00253264555782, 0.1199018486368]
    assert holm(p) == pytest.approx(expected)


def test_holm_leaves_out_what_was_not_tested():
    adjusted = holm([None, 0.03, float("nan"), 0.01])
    assert adjusted == pytest.approx([np.nan, 0.03, np.nan, 0.02], nan_ok=True)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=9))
def test_holm_rejects_what_the_step_down_rejects(p):
    for alpha in (0.01, 0.05, 0.3):
        rejected = [False] * len(p)
        for step, i in enumerate(sorted(range(len(p)), key=lambda i: p[i])):
            if p[i] * (len(p) - step) >= alpha:
                break
            rejected[i] = True
        assert (holm(p) < alpha).tolist() == rejected


@pytest.mark.parametrize(
    ("arm", "p", "expected"),
    [
        ([0.61, 0.62, 0.64], 0.049, "helped"),
        ([0.61, 0.62, 0.64], 0.05, "no evidence"),
        ([0.41, 0.42, 0.44], 0.01, "hurt"),
        ([0.61, 0.62, 0.64], float("nan"), "too few seeds"),
    ],
)
def test_verdict(arm, p, expected):
    assert verdict(paired_difference(arm, [0.5, 0.5, 0.5]), p) == expected


def difference(mean: float, low: float, high: float, spread: float) -> Difference:
    return Difference(
        mean=mean, deviation=0.01, low=low, high=high, p=0.03, n=5, spread=spread, identical=False, confidence=0.95
    )


@pytest.mark.parametrize(
    ("case", "verdict", "comparisons", "expected"),
    [
        (
            difference(0.0312, 0.012, 0.0504, 0.01), "helped", 1,
            "photos scores 3.1 points above scratch (95 % interval 1.2 to 5.0, 5 seeds): helped.",
        ),
        (
            difference(-0.0312, -0.0504, -0.012, 0.04), "hurt", 6,
            "photos scores 3.1 points below scratch (95 % interval -5.0 to -1.2, 5 seeds): hurt, also after correction for "
            "6 comparisons; the difference is smaller than the spread over seeds (4.0 points).",
        ),
        (
            difference(0.002, -0.001, 0.005, 0.001), "no evidence", 6,
            "photos scores 0.20 points above scratch (95 % interval -0.10 to 0.50, 5 seeds): no evidence that it helped or hurt.",
        ),
        (
            difference(0.02, 0.001, 0.039, 0.015), "no evidence", 6,
            "photos scores 2.0 points above scratch (95 % interval 0.1 to 3.9, 5 seeds): no evidence that it helped or hurt "
            "once corrected for 6 comparisons.",
        ),
    ],
)  # fmt: skip
def test_words(case, verdict, comparisons, expected):
    assert words(case, verdict, arm="photos", comparisons=comparisons) == expected


def test_spread_is_that_of_the_scores():
    # The paired differences are 0.1, 0.11, 0.12, the scores lie 0.2 apart: pairing takes away what seeds share.
    mine = paired_difference([0.3, 0.51, 0.72], [0.2, 0.4, 0.6])
    assert mine.deviation == pytest.approx(0.01)
    assert mine.spread == pytest.approx(((0.21**2 + 0.2**2) / 2) ** 0.5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: interval([]), "one or more"),
        (lambda: interval([0.1, float("nan")]), "finite"),
        (lambda: paired_difference([0.1, 0.2], [0.1]), "same seeds"),
        (lambda: paired_difference([0.1, 0.2], [0.1, 0.3], picture_variance=0.1), "number of test pictures"),
        (lambda: paired_difference([0.1, 0.2], [0.1, 0.3], picture_variance=-1, pictures=9), "0 or more"),
        (lambda: holm([0.1, 1.5]), r"\[0, 1\]"),
        (lambda: picture_variance(lambda w: w, lambda w: w, 1), "from 1"),
        (lambda: picture_variance(lambda w: w * np.nan, lambda w: w * 1.0, 5), "cannot be computed"),
    ],
)
def test_wrong_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("n", [3, 5, 10])
@pytest.mark.parametrize("comparisons", [1, 3, 9])
def test_no_difference_is_rarely_called_one(n, comparisons):
    """Family-wise: a study errs if any of its comparisons does."""
    rng = np.random.default_rng([n, comparisons])
    studies = 1000 if comparisons == 1 else 300
    wrong = sum(any(v in ("helped", "hurt") for v in conclusions(rng, n, comparisons)) for _ in range(studies))
    # 6.5 % of 1,000; of fewer studies the same number of standard errors above 5 %.
    assert wrong <= studies * 0.05 + 2.18 * (studies * 0.05 * 0.95) ** 0.5


def test_a_difference_of_two_deviations_is_found():
    rng = np.random.default_rng(3)
    found = sum(conclusions(rng, 5, 1, effect=2.0) == ["helped"] for _ in range(1000))
    assert found >= 850


@pytest.mark.long
@pytest.mark.parametrize("n", [3, 5, 10])
@pytest.mark.parametrize("comparisons", [1, 3, 9])
def test_no_difference_is_rarely_called_one_in_many_studies(n, comparisons):
    rng = np.random.default_rng([n, comparisons, 1])
    wrong = sum(any(v in ("helped", "hurt") for v in conclusions(rng, n, comparisons)) for _ in range(10_000))
    assert wrong <= 570  # 5 % and three standard errors
