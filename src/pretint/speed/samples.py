"""From timings to estimates: medians with their spread, rates, ratios; and which timings count on a busy machine."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from pretint.speed.busy import QUIET


@dataclass(frozen=True, slots=True)
class Sample:
    """One timing: seconds of one repetition, and what others took meanwhile (None: not known)."""

    seconds: float
    contention: float | None = None

    @property
    def quiet(self) -> bool:
        return self.contention is None or self.contention <= QUIET


@dataclass(frozen=True, slots=True)
class Estimate:
    """A median with the least and the largest of ``runs`` values; not ``quiet`` where the machine was too busy to tell."""

    median: float
    low: float
    high: float
    runs: int
    quiet: bool


def estimate(samples: Sequence[Sample]) -> Estimate | None:
    """Seconds. Where two quiet samples or more are to be had, the others are left out; else all count, and tell little."""
    if not samples:
        return None
    quiet = [sample.seconds for sample in samples if sample.quiet]
    enough = len(quiet) >= min(2, len(samples))
    counted = quiet if enough else [sample.seconds for sample in samples]
    return Estimate(median(counted), min(counted), max(counted), len(counted), enough)


def rate(time: Estimate | None, amount: float) -> Estimate | None:
    """``amount`` a second, of what takes ``time``."""
    if time is None or time.low <= 0:
        return None
    return Estimate(amount / time.median, amount / time.high, amount / time.low, time.runs, time.quiet)


def ratio(above: Estimate | None, below: Estimate | None) -> Estimate | None:
    """One estimate over another; its spread is the widest that both allow."""
    if above is None or below is None or below.low <= 0:
        return None
    return Estimate(
        above.median / below.median, above.low / below.high, above.high / below.low,
        min(above.runs, below.runs), above.quiet and below.quiet,
    )  # fmt: skip


def difference(whole: Sample, part: Sample) -> Sample:
    """What the whole takes beyond a part; both were timed apart, so that it may come out a little below 0: then it is 0."""
    known = [one.contention for one in (whole, part) if one.contention is not None]
    return Sample(max(0.0, whole.seconds - part.seconds), max(known) if known else None)


def as_json(found: Estimate | None) -> dict[str, Any] | None:
    """An estimate as it stands in a document."""
    return None if found is None else asdict(found)


def from_json(values: Mapping[str, Any] | None) -> Estimate | None:
    """An estimate out of a document."""
    return None if values is None else Estimate(**values)
