"""Work is shared out and comes back in order; a process that dies is told of."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from pretint.data import processes
from pretint.data.feed import once
from pretint.data.processes import cores, default_workers, in_order
from pretint.data.record import Record
from pretint.data.views import ViewOptions
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


at_the_next_fork: list[signal.Signals] = []
os.register_at_fork(after_in_parent=lambda: at_the_next_fork and signal.raise_signal(at_the_next_fork.pop()))


@pytest.mark.parametrize("how", ["pool", "loader"])
def test_ctrl_c_while_processes_start_is_not_lost(how: str, pictures: Path) -> None:
    """Python drops exceptions of what it calls at a fork, and logging has it call something there."""
    records = [Record(path.name, path) for path in sorted(pictures.glob("*.png"))]
    work = (
        in_order(_square, range(40), 2)
        if how == "pool"
        else once(records, size=16, view=ViewOptions(), batch_size=1, workers=2)
    )
    at_the_next_fork.append(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        next(work)
    assert not at_the_next_fork
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize(
    ("told", "count"),
    [("100000 100000\n", 1), ("250000 100000\n", 3), ("50000 100000\n", 1), ("max 100000\n", 6), (None, 6)],
)
def test_the_cores_of_a_container(
    told: str | None, count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``docker run --cpus 2.5`` takes none of the cores away, but time of them."""
    if told:
        (tmp_path / "cpu.max").write_text(told)
    monkeypatch.setattr(processes, "CPU_MAX", tmp_path / "cpu.max")
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(6)), raising=False)
    assert cores() == count
    assert [default_workers(sharing) for sharing in (1, 2, 8)] == [count, max(1, count // 2), 1]
