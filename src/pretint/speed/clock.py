"""Times work on a device: wall or CPU time, asynchronous devices waited for, with what others took meanwhile.

    clock = Clock("wall", torch.device("cpu"))
    sample = clock.sample(lambda: network(batch), least=0.5)

On a GPU the clock is stopped when all work that was handed to it is done, so that it is the time of the work and not of
the handing over.
"""

import math
import time
from collections.abc import Callable
from typing import Literal

import torch

from pretint.speed import busy
from pretint.speed.samples import Sample


class Clock:
    """A stopwatch.

    Args:
        kind: "wall", or "cpu": seconds of this process alone, which is only sound with one thread and no GPU.
        device: whose work is waited for.
    """

    def __init__(self, kind: Literal["wall", "cpu"], device: torch.device) -> None:
        self.kind, self.device = kind, device
        self._now = time.perf_counter if kind == "wall" else time.process_time
        self._begun = 0.0
        self._before: busy.Reading | None = None

    def start(self) -> None:
        """Start the watch; nothing is under way any more."""
        self.wait()
        self._before = busy.read()
        self._begun = self._now()

    def stop(self, repetitions: int = 1) -> Sample:
        """Seconds of one of the repetitions since the start."""
        self.wait()
        seconds = self._now() - self._begun
        held_up = busy.contention(self._before, busy.read(), torch.get_num_threads(), self.kind == "cpu")
        return Sample(seconds / repetitions, held_up)

    def sample(self, work: Callable[[], object], least: float, guess: float | None = None) -> Sample:
        """Repeat work for ``least`` seconds or more, once at the least.

        Args:
            work: what is timed.
            least: seconds; short timings say little, since others' use is counted in hundredths of a second.
            guess: about how long one repetition takes; found by one that is not counted where it is not given.
        """
        if guess is None:
            self.start()
            work()
            guess = self.stop().seconds
        repetitions = max(1, math.ceil(least / max(guess, 1e-7)))
        self.start()
        for _ in range(repetitions):
            work()
        return self.stop(repetitions)

    def wait(self) -> None:
        """Until the device has done what it was given."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        elif self.device.type == "mps":
            torch.mps.synchronize()
