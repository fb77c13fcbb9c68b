"""Speed and time left, with a clock that the test moves: steps take half a second, a validation seven."""

import pytest

from pretint.training import progress
from pretint.training.progress import TrainingProgress


class Clock:
    """Stands in for the module ``time``."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


@pytest.mark.parametrize("steps_per_epoch", [1, 3, 400])
@pytest.mark.parametrize("told_every", [1, 7, 50])
def test_pauses_are_no_part_of_the_speed(clock: Clock, steps_per_epoch: int, told_every: int) -> None:
    """However the steps that are told, as on a GPU, and the ends of epochs fall."""
    shown = TrainingProgress(steps=1000, done=0, batch_size=8, quiet=True)
    assert shown.pictures_per_second() is None
    for step in range(1, 801):
        clock.now += 0.5
        if step % told_every == 0:
            shown.advance(step, "epoch", "")
            assert shown.pictures_per_second() == pytest.approx(16)
        if step % steps_per_epoch == 0:
            with shown.paused():
                clock.now += 7
    assert shown.speed() == f"16.0 pictures/s, {progress.duration(100)} left"


def test_the_speed_follows_the_last_minutes(clock: Clock) -> None:
    shown = TrainingProgress(steps=1000, done=500, batch_size=8, quiet=True)
    for step, seconds in enumerate([0.5] * 200 + [4.0] * 40, start=501):
        clock.now += seconds
        shown.advance(step, "epoch", "")
    assert shown.pictures_per_second() == pytest.approx(2)
