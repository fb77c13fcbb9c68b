"""One run of ``pretint bench``: what was timed so far, the processes that time it, and how long it will still take."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pretint.errors import ResourceError
from pretint.speed import busy, photos
from pretint.speed.children import Child
from pretint.speed.plan import Plan
from pretint.speed.samples import Estimate, Sample, estimate

Told = Callable[[str, str, float | None], None]
"""Told (part, what is measured now, seconds left or None)."""
EXPECTED = {"start": 20.0, "peaks": 25.0, "feed": 50.0, "colorize": 45.0, "memory": 60.0, "curves": 150.0}
"""Seconds that a part of the full plan takes on a quiet machine of two cores, beside the ladders, which have their own."""


class Session:
    """Collects samples under keys such as ``("step", "paper", "plain")``.

    Args:
        plan: what is measured.
        folder: for made pictures and runs; the caller's to remove.
        told: is told what is under way.
        device: "cpu", "cuda" or "mps".
        precision: what ``auto`` takes here.
    """

    def __init__(self, plan: Plan, folder: Path, told: Told, device: str, precision: str) -> None:
        self.plan, self.folder, self._told = plan, folder, told
        self.device, self.precision = device, precision
        self.samples: dict[tuple[str, ...], list[Sample]] = {}
        self.facts: dict[tuple[str, ...], Any] = {}
        self.memory: dict[str, tuple[int, int]] = {}
        """Bytes at the most, of memory and of a GPU's, by what was measured."""
        self.missing: dict[str, str] = {}
        """What could not be measured, and why."""
        self._part, self._since = "", time.monotonic()
        self._done: dict[str, float] = {}  # parts, and the seconds that they took

    def child(self, part: str, **case: Any) -> Child:
        """A measuring process of this session; it is not started yet."""
        settings = {"threads": self.plan.threads, "clock": self.plan.clock, "folder": str(self.folder)}
        return Child(part, settings, case)

    def keep(self, key: tuple[str, ...], answer: Mapping[str, Any]) -> None:
        """Keep the sample of an answer."""
        self.samples.setdefault(key, []).append(Sample(**answer["sample"]))

    def weigh(self, what: str, child: Child) -> None:
        """Note a process's memory so far; what was noted first stays."""
        self.memory.setdefault(what, (child.most, child.most_on_gpu))

    def estimate(self, *key: str) -> Estimate | None:
        """What the samples of a key say; None where there are none."""
        return estimate(self.samples.get(key, []))

    def photos(self) -> Path:
        """The folder of the made photos, drawn at the first call."""
        folder = self.folder / "photos"
        if not folder.exists():
            self.say("drawing photos")
            photos.write(folder, self.plan.photos)
        return folder

    def enter(self, part: str) -> None:
        """A part begins."""
        if self._part:
            self._done[self._part] = time.monotonic() - self._since
        self._part, self._since = part, time.monotonic()

    def say(self, doing: str) -> None:
        """Tell what is under way."""
        self._told(self._part, doing, self._left())

    def try_to(self, what: str, measure: Callable[[], None]) -> None:
        """Measure; where memory does not suffice, note that and go on."""
        try:
            measure()
        except ResourceError as error:
            self.missing[what] = str(error)

    def _left(self) -> float:
        expected = {part: self._expected(part) for part in self.plan.parts}
        # What is done tells how much slower than expected this machine is, or how much busier.
        pace = max(1.0, sum(self._done.values()) / max(1.0, sum(expected[part] for part in self._done)))
        later = sum(s for part, s in expected.items() if part not in self._done and part != self._part)
        return pace * later + max(0.0, pace * expected[self._part] - (time.monotonic() - self._since))

    def _expected(self, part: str) -> float:
        if part == "step":
            return sum(case.seconds + 15 for case in self.plan.steps)  # the processes start, and warm up
        return EXPECTED[part] * (1.0 if self.plan.card else 0.4)


def available_gigabytes() -> float | None:
    """Memory that programs could have now, in GB; None where the system does not tell."""
    path = Path("/proc/meminfo")
    if not path.exists():
        return None
    lines = dict(line.split(":", 1) for line in path.read_text().splitlines())
    return int(lines["MemAvailable"].split()[0]) * 1024 / 1e9 if "MemAvailable" in lines else None


def wall(work: Callable[[], object], cores: int) -> Sample:
    """Seconds by the wall clock of something that other processes do for us, all of it reaped when it is done."""
    before, begun = busy.read(), time.perf_counter()
    work()
    seconds = time.perf_counter() - begun
    return Sample(seconds, busy.contention(before, busy.read(), cores))
