"""One number of the reproduction: what was published or is expected, what this version computes, and what that means.

Claims are typed, from the paper, its authors' code or arithmetic by hand; ``ours`` is always computed. The functions below
make a number and find its status.
"""

from dataclasses import dataclass
from typing import Any, Literal

Source = Literal["paper", "authors' code", "computed"]
Status = Literal["reproduced", "differs", "explained", "measured", "needs data", "not reproducible"]

MEANINGS: dict[Status, str] = {
    "reproduced": "what this version computes equals the claim, to the digits of the claim",
    "differs": "it does not",
    "explained": "the value arises without any trained network",
    "measured": "measured on the pictures that were given, at the scale that is told: not the paper's",
    "needs data": "cannot be computed without Pascal VOC or COCO",
    "not reproducible": "what it would need was never published",
}


@dataclass(frozen=True, slots=True)
class Number:
    """One line of the reproduction.

    Attributes:
        id: stable name.
        title: a few words.
        what: one sentence on what it is.
        source: where the claim comes from.
        claim: the published or expected value, words for a bound ("above 0"), or None where nothing is claimed.
        ours: what this version computes; None where that needs data.
        status: what follows, see ``MEANINGS``.
    """

    id: str
    title: str
    what: str
    source: Source
    claim: Any
    ours: Any
    status: Status


def equal(id: str, title: str, what: str, claim: Any, ours: Any, source: Source = "computed") -> Number:
    """A value that has to be met exactly: a count, a shape, a list."""
    return Number(id, title, what, source, claim, ours, "reproduced" if ours == claim else "differs")


def rounded(
    id: str, title: str, what: str, claim: float, ours: float, digits: int, source: Source = "computed"
) -> Number:
    """A value known to some decimals; ours is kept to four of them, or two more than the claim's."""
    met = round(ours, digits) == claim
    return Number(id, title, what, source, claim, round(ours, max(4, digits + 2)), "reproduced" if met else "differs")


def at_most(id: str, title: str, what: str, most: float, ours: float, source: Source = "computed") -> Number:
    """A value that must not exceed a bound."""
    met = ours <= most
    return Number(id, title, what, source, f"at most {most:g}", significant(ours), "reproduced" if met else "differs")


def above(id: str, title: str, what: str, least: float, ours: float, source: Source = "computed") -> Number:
    """A value that must exceed a bound."""
    met = ours > least
    return Number(id, title, what, source, f"above {least:g}", significant(ours), "reproduced" if met else "differs")


def needs_no_model(id: str, title: str, what: str, ours: Any, claim: Any = None, source: Source = "computed") -> Number:
    """A score that is had without any trained network; nothing is claimed, or a printed value that it stands beside."""
    return Number(id, title, what, source, claim, ours, "explained")


def needs_data(id: str, title: str, what: str, claim: Any, source: Source = "paper") -> Number:
    """A published value that asks for Pascal VOC or COCO."""
    return Number(id, title, what, source, claim, None, "needs data")


def not_reproducible(id: str, title: str, what: str, claim: Any, source: Source = "paper") -> Number:
    """A published value that nothing could be held against."""
    return Number(id, title, what, source, claim, None, "not reproducible")


def significant(value: float) -> float:
    """Three significant digits, all that a measured value is good for."""
    return float(f"{value:.3g}")
