"""Medians, rates and ratios against values worked out by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pretint.speed.samples import Estimate, Sample, difference, estimate, rate, ratio

POSITIVE = st.floats(0.01, 1e4)
ESTIMATES = st.builds(
    lambda values, quiet: Estimate(sorted(values)[1], min(values), max(values), 3, quiet),
    st.lists(POSITIVE, min_size=3, max_size=3), st.booleans(),
)  # fmt: skip


def test_busy_timings_are_left_out_where_quiet_ones_suffice() -> None:
    samples = [Sample(2.0, 0.01), Sample(9.0, 0.5), Sample(3.0, 0.05), Sample(4.0, None)]
    assert estimate(samples) == Estimate(median=3.0, low=2.0, high=4.0, runs=3, quiet=True)


def test_too_few_quiet_timings_tell_nothing() -> None:
    assert estimate([Sample(2.0, 0.0), Sample(8.0, 0.3), Sample(6.0, 0.2)]) == Estimate(6.0, 2.0, 8.0, 3, False)
    assert estimate([Sample(2.0, 0.3)]) == Estimate(2.0, 2.0, 2.0, 1, False)
    assert estimate([Sample(2.0, 0.0)]) == Estimate(2.0, 2.0, 2.0, 1, True)
    assert estimate([]) is None


def test_rate_turns_the_spread_round() -> None:
    assert rate(Estimate(0.5, 0.25, 1.0, 3, True), 8) == Estimate(16, 8, 32, 3, True)
    assert rate(None, 8) is None


def test_ratio() -> None:
    above, below = Estimate(10, 8, 12, 5, True), Estimate(4, 2, 5, 3, False)
    assert ratio(above, below) == Estimate(2.5, 1.6, 6.0, 3, False)


@given(ESTIMATES, ESTIMATES)
def test_ratio_holds_its_median(above: Estimate, below: Estimate) -> None:
    found = ratio(above, below)
    assert found is not None
    assert found.low <= found.median <= found.high
    assert found.quiet == (above.quiet and below.quiet)


def test_difference() -> None:
    assert difference(Sample(5.0, 0.1), Sample(2.0, 0.2)) == Sample(3.0, 0.2)
    assert difference(Sample(2.0), Sample(2.5)) == Sample(0.0)


@pytest.mark.parametrize(("contention", "quiet"), [(None, True), (0.05, True), (0.051, False)])
def test_quiet(contention: float | None, quiet: bool) -> None:
    assert Sample(1.0, contention).quiet is quiet
