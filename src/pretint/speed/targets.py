"""What pretint's speed is held against, and whether this machine's numbers meet it: yes, no, or cannot tell.

A target is met or missed only by a number that was timed while the machine was quiet, and whose spread does not hold the
target. Everything else is "cannot tell"; what was not measured is "not measured".
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pretint.speed.samples import Estimate, as_json, from_json

Answer = Literal["yes", "no", "cannot tell", "not measured"]


@dataclass(frozen=True, slots=True)
class Target:
    """Something wanted: a number, its unit ("%" for a share, given as one), and whether more of it is better."""

    what: str
    wanted: float
    unit: str = ""
    more: bool = True
    never: float | None = None
    """What it must not fall below in any case."""


def answer(target: Target, found: Estimate | None) -> Answer:
    """Whether a target is met."""
    if found is None:
        return "not measured"
    if not found.quiet:
        return "cannot tell"
    if found.low < target.wanted < found.high:
        return "cannot tell"
    return "yes" if (found.median >= target.wanted) == target.more or found.median == target.wanted else "no"


def targets(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """All targets that mean something on the machine of a document, with what was found."""
    rows = []
    for target, found in _with_numbers(document):
        rows.append(
            {
                "what": target.what,
                "wanted": target.wanted,
                "unit": target.unit,
                "more_is_better": target.more,
                "never": target.never,
                "found": as_json(found),
                "answer": answer(target, found),
            }
        )
    return rows


SHARES = {"paper": (0.60, 0.50), "residual64": (0.55, 0.45), "residual96": (0.65, 0.57), "residual128": (0.65, 0.57)}
"""Share of the float32 matmul peak that a step should reach on a CPU, and below which it must not fall."""


def _with_numbers(document: Mapping[str, Any]) -> Iterator[tuple[Target, Estimate | None]]:
    machine = document["machine"]
    steps = {step["name"]: step for step in document["step"]}

    def share(name: str, precision: str) -> Estimate | None:
        rungs = steps[name]["rungs"] if name in steps else []
        found = [rung for rung in rungs if rung["name"] == f"pretint, {precision}"]
        return from_json(found[0]["share_of_peak"]) if found else None

    def title(name: str) -> str:
        return {"paper": "cGAN, 256 px"}.get(name) or f"residual encoder, {name.removeprefix('residual')} px"

    if machine["device"] == "cpu":
        for name, (wanted, never) in SHARES.items():
            batch = f", batch {steps[name]['batch']}" if name == "paper" and name in steps else ""
            yield Target(f"{title(name)}{batch}: of float32 peak", wanted, "%", never=never), share(name, "float32")
    if machine["precision"] == "bf16":
        wanted = 0.45 if machine["device"] == "cpu" else 0.30
        yield Target("cGAN, 256 px: of bf16 peak", wanted, "%"), share("paper", "bf16")
    for step in document["step"]:
        if step["synchronizations"] is not None:
            what = f"{step['title']}: waits for the GPU, a step"
            yield Target(what, 0, more=False), _exactly(float(step["synchronizations"]))
    feed = document["feed"] or {}
    for way in feed.get("ways", []):
        if way["goal"]:
            yield Target(way["name"], way["goal"], "/s"), from_json(way["pictures_per_second"])
    yield Target("training that waits for pictures", 0.03, "%", more=False), from_json(feed.get("waits"))
    colorize = document["colorize"] or {}
    yield (
        Target("colorize, a folder: of the network's rate in its arithmetic", 0.90, "%"),
        from_json(colorize.get("folder_share")),
    )
    yield Target("colorize, network in float32: x plain", 1.4), from_json(colorize.get("network_gain"))
    memory = {row["what"]: row for row in document["memory"]}
    for what, wanted, unit in (("colorize, 48 megapixels", 2.0, "GB"), (CARD, 6.0, "GB"), (GROWTH, 1.0, "MB")):
        row = memory.get(what)
        on_card = what == CARD and machine["device"] == "cuda"  # else the card's memory is the host's
        yield (
            Target(what, wanted, unit, more=False),
            None if row is None else _exactly(row["gpu_GB" if on_card else unit]),
        )
    start = document["start"] or {}
    yield Target("pretint --help", 0.5, "s", more=False), from_json(start.get("help"))
    yield Target("pretint pretrain, to its first step", 10, "s", more=False), from_json(start.get("first_step"))


CARD = "cGAN, 256 px, batch 32 in 4 parts"
GROWTH = "memory gained in 1,000 steps"


def _exactly(value: float) -> Estimate:
    return Estimate(value, value, value, 1, True)
