"""The course of the learning rate, by hand."""

import math
from itertools import pairwise

import pytest

from pretint.training.options import LoopOptions
from pretint.training.schedule import rate_factor


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
