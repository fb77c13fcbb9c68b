"""Sizes of matmuls on a clock that is set by hand."""

import torch

from pretint.speed import peaks
from pretint.speed.clock import Clock
from pretint.speed.samples import Sample


class Slow(Clock):
    """A clock on which a matmul of side n takes (n / 1000)^3 seconds, and nothing is multiplied."""

    def __init__(self) -> None:
        super().__init__("wall", torch.device("cpu"))
        self.sides: list[int] = []

    def sample(self, work, least, guess=None):  # type: ignore[no-untyped-def]
        if guess is not None:
            return Sample(guess)
        side = 256 << len(self.sides)
        self.sides.append(side)
        return Sample((side / 1000) ** 3)


def test_sizes_grow_while_the_next_stays_short() -> None:
    """From 1024 (1.07 s) the next would take 8.6 s; at 5 s allowed it stops there."""
    clock = Slow()
    sample, amount, side = peaks.Peaks(clock, longest=5.0, largest=4096, copied=1 << 10).measure("float32", 0.0)
    assert clock.sides == [256, 512, 1024]
    assert (side, amount) == (1024, 2 * 1024**3)
    assert sample.seconds == 1.024**3


def test_a_copy_is_read_and_written() -> None:
    clock = Clock("wall", torch.device("cpu"))
    sample, amount, size = peaks.Peaks(clock, 0.1, 64, 1 << 16).measure(peaks.COPY, 0.0)
    assert (amount, size) == (2 << 16, 1 << 16)
    assert sample.seconds > 0


def test_arithmetic_is_left_as_it_was() -> None:
    torch.set_float32_matmul_precision("high")
    try:
        peaks.Peaks(Clock("wall", torch.device("cpu")), 0.1, 64, 1 << 16).measure("float32", 0.0)
        assert torch.get_float32_matmul_precision() == "high"
    finally:
        torch.set_float32_matmul_precision("highest")
