"""Ratios to linear, by hand."""

import pytest

from pretint.speed.linearity import to_linear, verdict
from pretint.speed.samples import Estimate


def times(*seconds: float, quiet: bool = True) -> list[Estimate | None]:
    return [Estimate(s, s, s, 3, quiet) for s in seconds]


def test_to_linear() -> None:
    """0.3 a unit at the end; 0.5 and 0.36 before."""
    assert to_linear(times(0.5, 0.72, 1.2), [1, 2, 4]) == pytest.approx([5 / 3, 1.2, 1.0])
    assert to_linear([None, *times(1.0)], [1, 2]) == [None, 1.0]
    assert to_linear([None], [1]) == [None]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        ((1.0, 2.1, 4.0), "linear"),
        ((1.5, 2.1, 4.0), "dear where there is little work: fixed costs"),
        ((1.0, 2.2, 8.0), "grows faster than the work"),
    ],
)
def test_verdict(seconds: tuple[float, ...], words: str) -> None:
    work = [1, 2, 4]
    assert verdict(to_linear(times(*seconds), work), times(*seconds)) == words
    busy = times(*seconds, quiet=False)
    assert verdict(to_linear(busy, work), busy) == "cannot tell"


def test_one_point_is_no_curve() -> None:
    assert verdict([1.0], times(1.0)) == "cannot tell"
