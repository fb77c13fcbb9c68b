"""Whether time grows as the work does: the ratio to linear, point by point."""

from collections.abc import Sequence

from pretint.speed.samples import Estimate

WITHIN = 0.10
"""Deviation from linear that still counts as linear."""


def to_linear(times: Sequence[Estimate | None], work: Sequence[float]) -> list[float | None]:
    """Time over work at each point, against that at the point of most work that was timed.

    1 is linear. Above 1 a point is dear for its work: fixed costs, or a size that the machine is worse at. The point of
    most work is the measure since fixed costs weigh least there; a cost that grows faster than the work shows as values
    below 1 at all the others.
    """
    known = [(time.median / amount) for time, amount in zip(times, work, strict=True) if time is not None]
    if not known:
        return [None] * len(times)
    return [
        None if time is None else time.median / amount / known[-1] for time, amount in zip(times, work, strict=True)
    ]


def verdict(ratios: Sequence[float | None], times: Sequence[Estimate | None]) -> str:
    """In words: linear or not, and what the deviation means."""
    known = [ratio for ratio in ratios if ratio is not None]
    if len(known) < 2 or not all(time.quiet for time in times if time is not None):
        return "cannot tell"
    if max(abs(ratio - 1) for ratio in known) <= WITHIN:
        return "linear"
    if min(known) < 1 - WITHIN:
        return "grows faster than the work"
    return "dear where there is little work: fixed costs"
