"""Work is shared out and comes back in order; a process that dies is told of."""

import os
from collections.abc import Iterator

import pytest

from pretint.data.processes import in_order
from pretint.errors import ResourceError


def _square(number: int) -> int:
    return number * number


def _die(number: int) -> int:
    if number == 3:
        os._exit(1)
    return number


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_results_come_in_the_order_of_the_tasks(workers: int) -> None:
    assert list(in_order(_square, range(40), workers)) == [i * i for i in range(40)]


def test_tasks_are_taken_as_they_are_needed() -> None:
    taken: list[int] = []

    def tasks() -> Iterator[int]:
        for i in range(100):
            taken.append(i)
            yield i

    results = in_order(_square, tasks(), 2)
    assert next(results) == 0
    assert len(taken) <= 6
    results.close()  # type: ignore[attr-defined]


def test_a_process_that_dies_is_told_of() -> None:
    with pytest.raises(ResourceError, match="was killed"):
        list(in_order(_die, range(6), 2))
