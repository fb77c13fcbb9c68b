"""The courses of learning rate and picture size, by hand."""

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pretint.training.options import LoopOptions
from pretint.training.schedule import rate_factor, size_at


def _course(steps: int, **options: object) -> list[float]:
    return [rate_factor(LoopOptions(**options), step, steps) for step in range(steps)]  # type: ignore[arg-type]


def test_constant() -> None:
    assert _course(3) == [1, 1, 1]
    assert _course(4, warmup=0.5) == pytest.approx([1 / 3, 2 / 3, 1, 1])


def test_cosine_falls_from_1_towards_0() -> None:
    assert _course(4, schedule="cosine") == pytest.approx([0.5 * (1 + math.cos(math.pi * i / 4)) for i in range(4)])


def test_one_cycle_rises_for_a_quarter() -> None:
    course = _course(40, schedule="one-cycle")
    assert course.index(max(course)) == 10
    assert course[:10] == pytest.approx([(i + 1) / 11 for i in range(10)])
    assert course[10] == 1
    assert all(a > b > 0 for a, b in pairwise(course[10:]))


@pytest.mark.parametrize("schedule", ["constant", "cosine", "one-cycle"])
@pytest.mark.parametrize("steps", [1, 2, 7])
def test_short_phases(schedule: str, steps: int) -> None:
    assert all(0 < factor <= 1 for factor in _course(steps, schedule=schedule, warmup=0.9))


def test_sizes_rise_evenly_and_end_full() -> None:
    assert [size_at(64, 128, 16, epoch, 8) for epoch in range(8)] == [64, 64, 80, 96, 96, 112, 128, 128]
    assert [size_at(32, 64, 32, epoch, 5) for epoch in range(5)] == [32, 32, 32, 64, 64]
    assert size_at(32, 64, 32, 0, 1) == 64


@given(
    st.integers(1, 8), st.integers(0, 100), st.sampled_from([2, 16, 32]), st.integers(2, 60),
)  # fmt: skip
def test_sizes_never_fall_and_fit_the_stride(first: int, more: int, by: int, epochs: int) -> None:
    size = first * by + more
    sizes = [size_at(first * by, size, by, epoch, epochs) for epoch in range(epochs)]
    assert sizes[0] == first * by
    assert all(one <= other <= size for one, other in pairwise(sizes))
    full = math.ceil(epochs / 4)
    assert sizes[-full:] == [size] * full
    assert all(side % by == 0 for side in sizes if side < size)
