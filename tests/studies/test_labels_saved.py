"""Labels saved against curves whose crossing is known, tests by scipy, and simulated power-law learning curves."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from pretint.studies.labels_saved import LabelsSaved, labels_saved

FIVE = np.array([0.05, 0.1, 0.25, 0.5, 1.0])


def power_law(fractions, exponent: float) -> np.ndarray:
    """A score that climbs to 0.8 with all labels, from 0.5 with 5 %."""
    height = 0.3 / (20**exponent - 1)
    return 0.8 + height - height * np.asarray(fractions, dtype=float) ** -exponent


def simulated(
    rng: np.random.Generator, truth: float, n: int, noise: float, exponent: float, fractions=FIVE
) -> LabelsSaved:
    """A study whose pretrained arm needs `truth` of the labels; `noise` is the deviation over seeds."""
    scratch = power_law(truth, exponent) + rng.normal(0, noise, n)
    pretrained = power_law(fractions, exponent)[:, None] + rng.normal(0, noise, (len(fractions), n))
    return labels_saved(fractions, scratch, pretrained)


def holds(saved: LabelsSaved, truth: float) -> bool:
    return (saved.low or 0) <= truth <= (math.inf if saved.high is None else saved.high)


@pytest.mark.parametrize("truth", [0.06, 0.17, 0.4, 0.8])
def test_without_noise_a_quadratic_is_read_exactly(truth):
    # In the logarithm of the fraction; a parabola through three points is the curve itself.
    def curve(f):
        return 0.8 + 0.04 * np.log(f) - 0.02 * np.log(f) ** 2

    saved = labels_saved(FIVE, [curve(truth)] * 3, np.repeat(curve(FIVE)[:, None], 3, axis=1))
    assert saved.fraction == pytest.approx(truth, rel=1e-4)
    assert holds(saved, truth)


def test_with_two_fractions_the_line_over_the_logarithm():
    # Half-way between 0.5 and 0.7 on the line from 0.1 to 1 is the root of 0.1.
    saved = labels_saved([0.1, 1], [0.60, 0.61, 0.59], [[0.50, 0.51, 0.49], [0.70, 0.71, 0.69]])
    assert saved.fraction == pytest.approx(0.1**0.5, rel=1e-3)
    assert (saved.low, saved.high) == (0.1, 1.0)
    assert saved.words == (
        "with 32 % of the labels, the arm scores what scratch scores with all (95 % interval 10 % to 100 %; nothing was "
        "measured between)."
    )


def test_wide_gaps_are_not_read():
    steep = power_law([0.01, 0.1, 1], 1.0)
    saved = labels_saved([0.01, 0.1, 1], [steep.mean()] * 3, np.repeat(steep[:, None], 3, axis=1))
    assert saved.low == 0.01
    assert saved.high == 0.1


@pytest.mark.parametrize("seed", range(20))
def test_ends_are_open_where_a_t_test_cannot_tell(seed):
    rng = np.random.default_rng(seed)
    scratch = 0.7 + rng.normal(0, 0.02, 4)
    pretrained = np.linspace(0.66, 0.74, 5)[:, None] + rng.normal(0, 0.02, (5, 4))
    saved = labels_saved(FIVE, scratch, pretrained)
    fewest, all_labels = (stats.ttest_rel(pretrained[k], scratch) for k in (0, -1))
    assert (saved.low is None) == (fewest.pvalue >= 0.05 or fewest.statistic > 0)
    assert (saved.high is None) == (all_labels.pvalue >= 0.05 or all_labels.statistic < 0)


def test_never_reached():
    saved = labels_saved(FIVE, [0.9, 0.91, 0.92], np.tile([0.5, 0.51, 0.52], (5, 1)) + 0.1 * FIVE[:, None])
    assert (saved.fraction, saved.low, saved.high) == (None, 1.0, None)
    says = (
        "even with all labels, the arm scores less than what scratch scores with all (95 % interval: at least 100 %)."
    )
    assert saved.words == says


def test_never_reached_where_the_interval_is_open():
    """Below scratch on average at every fraction, with seeds so far apart that no fraction can be ruled out."""
    saved = labels_saved([0.1, 0.3, 1.0], [0.5, 0.5, 0.5], [[0.1, 0.4, 0.7], [0.1, 0.4, 0.8], [0.2, 0.4, 0.85]])
    assert (saved.fraction, saved.low, saved.high, saved.already) == (None, None, None, False)
    assert saved.words.startswith("even with all labels, the arm scores less than what scratch scores with all")


def test_reached_before_the_first():
    saved = labels_saved(
        FIVE, [0.3, 0.31, 0.32], np.tile([0.5, 0.51, 0.52], (5, 1)) + 0.1 * FIVE[:, None], arm="photos"
    )
    assert (saved.fraction, saved.low, saved.high) == (None, None, 0.05)
    assert saved.words == (
        "with 5 % of the labels, the fewest measured, photos already scores more than what scratch scores with all "
        "(95 % interval: at most 5 %)."
    )


def test_scratch_against_itself_saves_nothing():
    scores = power_law(FIVE, 0.5)[:, None] + np.random.default_rng(0).normal(0, 0.001, (5, 5))
    saved = labels_saved(FIVE, scores[-1], scores)
    assert saved.fraction == 1
    assert saved.high is None


def test_one_seed_has_no_interval():
    saved = labels_saved([0.1, 0.3, 1], [0.6], [[0.5], [0.6], [0.7]])
    assert saved.fraction == pytest.approx(0.3, rel=1e-3)
    assert (saved.low, saved.high) == (None, None)
    assert saved.words.endswith("(one seed: no interval).")


def test_pretrainings_are_not_called_seeds():
    noisy = [[0.5, 0.5, 0.5], [0.55, 0.6, 0.62], [0.7, 0.72, 0.6]]
    saved = labels_saved([0.1, 0.3, 1], [0.4, 0.6, 0.8], noisy, unit="pretraining")
    assert saved.words.endswith("(95 % interval open at both ends: 3 pretrainings cannot tell).")
    one = labels_saved([0.1, 0.3, 1], [0.6], [[0.5], [0.6], [0.7]], unit="pretraining")
    assert one.words.endswith("(one pretraining: no interval).")


def test_pictures_widen_the_interval():
    rng = np.random.default_rng(1)
    pretrained = power_law(FIVE, 0.5)[:, None] + rng.normal(0, 0.003, (5, 5))
    scratch = power_law(0.2, 0.5) + rng.normal(0, 0.003, 5)
    alone = labels_saved(FIVE, scratch, pretrained)
    wider = labels_saved(FIVE, scratch, pretrained, picture_variance=1e-4, pictures=300)
    assert wider.fraction == alone.fraction
    assert wider.low < alone.low < alone.high < wider.high


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([2, 3, 5]), st.sampled_from([2, 3, 4, 5]))
def test_the_fraction_lies_in_its_interval(seed, n, count):
    """Of scores that hardly scatter over seeds, so that many of the intervals end within what was measured."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(0, 0.002, (count + 1, n))
    saved = labels_saved(FIVE[-count:], rng.random() + noise[0], rng.random((count, 1)) + noise[1:])
    if saved.fraction is not None:
        assert holds(saved, saved.fraction)


@pytest.mark.parametrize(
    ("fractions", "scratch", "pretrained", "message"),
    [
        ([1.0], [0.5], [[0.5]], "two or more"),
        ([0.5, 0.1, 1], [0.5], [[0.5]] * 3, "ascend"),
        ([0.1, 0.5], [0.5], [[0.5]] * 2, "end at 1"),
        ([0.1, 1], [0.5, 0.6], [[0.5]] * 2, "shapes"),
        ([0.1, 1], [0.5], [[0.5], [np.nan]], "finite"),
    ],
)
def test_wrong_input_is_refused(fractions, scratch, pretrained, message):
    with pytest.raises(ValueError, match=message):
        labels_saved(fractions, scratch, pretrained)


@pytest.mark.parametrize("n", [3, 5])
def test_the_interval_covers_the_truth(n):
    """Truths within the measured range, below and above it; curves from nearly straight to steep."""
    rng = np.random.default_rng(n)
    truths, exponents = np.exp(rng.uniform(np.log(0.03), np.log(1.5), 200)), rng.uniform(0.1, 1.5, 200)
    covered = sum(holds(simulated(rng, f, n, 0.01, c), f) for f, c in zip(truths, exponents, strict=True))
    assert covered >= 186  # 93 %


@pytest.mark.long
@pytest.mark.parametrize("n", [3, 5])
@pytest.mark.parametrize("noise", [0.001, 0.003, 0.01, 0.03])
@pytest.mark.parametrize("exponent", [0.1, 0.5, 1.0, 1.5])
def test_the_interval_covers_the_truth_everywhere(n, noise, exponent):
    for truth in (0.03, 0.07, 0.17, 0.35, 0.7, 1.5):
        rng = np.random.default_rng([n, round(1000 * truth)])
        covered = sum(holds(simulated(rng, truth, n, noise, exponent), truth) for _ in range(1000))
        assert covered >= 930, truth
