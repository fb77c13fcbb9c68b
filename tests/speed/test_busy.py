"""Who had the processor: /proc/stat read by hand, and shares worked out on paper."""

import time

import pytest

from pretint.speed import busy
from pretint.speed.busy import GRAIN, Reading, contention, load, parse

STAT = """\
cpu  300 30 120 5000 70 3 9 45 11 0
cpu0 200 20 100 1000 50 2 3 15 11 0
cpu1 100 10 20 4000 20 1 6 30 0 0
intr 1 2 3
"""


@pytest.mark.parametrize(
    ("cores", "everybody", "stolen"),
    [((0,), 3.25, 0.15), ((1,), 1.37, 0.30), ((0, 1), 4.62, 0.45), ((5,), 0.0, 0.0)],
)
def test_parse(cores: tuple[int, ...], everybody: float, stolen: float) -> None:
    """User, nice, system and both interrupts count; idleness, waiting and guests (in user already) do not."""
    found = parse(STAT, cores, ticks=100)
    assert found == pytest.approx((everybody, stolen))


def reading(clock: float, everybody: float, stolen: float, own: float, cores: int = 2) -> Reading:
    return Reading(clock, everybody, stolen, own, cores)


def test_load() -> None:
    """Ten seconds of two cores are 20: 16 used, of them 14 by us, and 1 stolen."""
    found = load(reading(0, 100, 5, 0), reading(10, 116, 6, 14))
    assert found is not None
    assert (found.others, found.stolen, found.own) == pytest.approx((0.1, 0.05, 0.7))
    assert load(None, reading(0, 0, 0, 0)) is None


@pytest.mark.parametrize(
    ("threads", "others", "stolen", "expected"),
    [
        (2, 2.0, 1.0, 3.0 / 20),  # both cores wanted: all that others took
        (1, 8.0, 0.0, 0.0),  # the other core was free for them
        (1, 10.0, 3.0, 3.0 / 10),  # 3 seconds more than the other core has
        (8, 2.0, 0.0, 2.0 / 20),  # more threads than cores want no more than there is
        (2, 0.0, 0.0, 0.0),
    ],
)
def test_contention(threads: int, others: float, stolen: float, expected: float) -> None:
    after = reading(10, 14 + others, stolen, 14)
    held_up = contention(reading(0, 0, 0, 0), after, threads)
    assert held_up == pytest.approx(max(0.0, expected - GRAIN / 10 / min(threads, 2)))


def test_contention_on_the_cpu_clock_is_what_the_host_took() -> None:
    assert contention(reading(0, 0, 0, 0, 1), reading(10, 10, 1, 4, 1), 1, cpu_clock=True) == pytest.approx(0.25)


def test_own_work_is_not_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """On the real counters: our own work grows ``own`` and ``everybody`` alike."""
    before = busy.read()
    if before is None:
        pytest.skip("no /proc/stat here")
    end = time.process_time() + 0.2
    while time.process_time() < end:
        pass
    after = busy.read()
    assert after is not None
    assert after.own - before.own == pytest.approx(0.2, abs=0.05)
    assert after.everybody - before.everybody > 0.15
