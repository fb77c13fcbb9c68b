"""Axes: ticks and numbers as they are written."""

import pytest

from pretint.pages.axes import linear_ticks, log_ticks, most_of, padded, short_number


@pytest.mark.parametrize(
    ("value", "text"), [(0.41234, "0.4123"), (51720, "51.72k"), (2e6, "2M"), (-0.5, "−0.5"), (0, "0")]
)
def test_numbers(value, text):
    assert short_number(value) == text


def test_ticks():
    assert [label for _, label in linear_ticks(0.08, 0.49)] == ["0.1", "0.2", "0.3", "0.4"]
    assert [label for _, label in linear_ticks(-0.021, 0.041)] == ["−0.02", "0.00", "0.02", "0.04"]
    assert [label for _, label in log_ticks(0.01, 1)] == ["0.01", "0.02", "0.05", "0.1", "0.2", "0.5", "1"]
    assert [value for value, _ in log_ticks(1, 1e6)] == pytest.approx([10.0**e for e in range(7)])
    assert len(log_ticks(0.21, 0.39)) > 1  # no 1, 2 or 5 between them


def test_whole_quantities_have_whole_ticks():
    assert [label for _, label in linear_ticks(1, 2, whole=True)] == ["1", "2"]
    assert [label for _, label in linear_ticks(1, 4, whole=True)] == ["1", "2", "3", "4"]
    assert [label for _, label in linear_ticks(0.9, 1.1, whole=True)] == ["1"]
    assert linear_ticks(0, 5000, whole=True) == linear_ticks(0, 5000)


def test_points_end_at_a_hundred():
    assert padded([100.0], "linear", most=most_of("mAP, points")) == (90, 100)
    assert padded([0.0, 100.0], "linear", most=most_of("points")) == (-5, 100)
    assert padded([0.0, 50.0], "linear", most=most_of("points")) == (-2.5, 52.5)
    assert padded([0.0, 100.0], "linear", most=most_of("PSNR, dB")) == (-5, 105)


def test_nothing_has_no_sign():
    assert short_number(-0.0) == "0"
    assert [label for _, label in linear_ticks(-0.4, 0.4) if float(label.replace("−", "-")) == 0] == ["0.0"]


@pytest.mark.parametrize(("low", "high"), [(12345.1, 12345.9), (0.1234561, 0.1234569)])
def test_ticks_that_lie_close_are_told_apart(low, high):
    ticks = linear_ticks(low, high)
    assert len({label for _, label in ticks}) == len(ticks) > 2
    assert all(abs(float(label) - value) < (high - low) / 50 for value, label in ticks)
