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
    assert shown.speed() == "16.0 pictures/s, 2 min left"  # 200 steps of half a second


@pytest.mark.parametrize(
    ("seconds", "words"), [(47.4, "47 s"), (89.9, "90 s"), (12 * 60 + 29, "12 min"), (3 * 3600 + 5 * 60, "3 h 05 min")]
)
def test_a_duration_in_words(seconds: float, words: str) -> None:
    assert progress.duration(seconds) == words


def test_the_time_left_knows_of_larger_pictures(clock: Clock) -> None:
    """Of 600 steps the second half costs four times as much: after 200 of 2 s, 100 are left of 2 s and 300 of 8 s."""
    shown = TrainingProgress(
        steps=600, done=0, batch_size=8, work=lambda step: step / 4 if step <= 300 else step - 225, quiet=True
    )
    for step in range(1, 201):
        clock.now += 2
        shown.advance(step, "epoch", "")
    assert shown.speed() == "4.0 pictures/s, 43 min left"  # 2600 s


def test_the_speed_follows_the_last_minutes(clock: Clock) -> None:
    shown = TrainingProgress(steps=1000, done=500, batch_size=8, quiet=True)
    for step, seconds in enumerate([0.5] * 200 + [4.0] * 40, start=501):
        clock.now += seconds
        shown.advance(step, "epoch", "")
    assert shown.pictures_per_second() == pytest.approx(2)
