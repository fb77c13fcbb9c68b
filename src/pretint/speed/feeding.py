"""The way of a picture from its file to Lab on the device, timed stage by stage and as a whole, a picture a core.

    ways = whole(large, folder)      # ways from a folder of pictures or its shards to batches, with goals
    ways = stages(large, 128, view)  # what a batch of one training is made by

Each way is a function that handles some pictures. Reading, decoding and resizing are shared out to processes in a
training; mirroring, the copy to the device and Lab are done for a batch, where the network is.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from pretint import recipe
from pretint.color import rgb_to_planes
from pretint.data.feed import Feed
from pretint.data.layouts import open_pool
from pretint.data.preparing import How, prepare, resized
from pretint.data.randomness import generator
from pretint.data.reading import read_picture
from pretint.data.record import Record
from pretint.data.views import ViewOptions, side_to_decode, view
from pretint.speed.clock import Clock
from pretint.speed.samples import Sample, difference

BATCH = 32
STAGES = ("read", "decode", "resize", "augment", "transfer", "Lab")
"""In the order of the way; the first three are the reading processes' work, the others the training's."""
READERS = 3
"""How many of the stages the reading processes do."""


@dataclass(frozen=True)
class Way:
    """Work on ``pictures`` pictures, and how many a second one core should do of them."""

    name: str
    run: Callable[[], object]
    pictures: int
    goal: int | None = None


def whole(large: Path, folder: Path, *, every: bool = True) -> list[Way]:
    """Ways from pictures to batches, half of each mirrored.

    Args:
        large: pictures as they come; the goals are for photos of 500 x 375 pixels and 70 kB.
        folder: for the shards that are made of them.
        every: also those ways that have no goal.
    """
    sources = {"large": large}
    formats = ((256, "jpeg"), (144, "raw"))
    for size, kind in ((*formats, (288, "jpeg"), (144, "jpeg"), (288, "raw"))) if every else formats:
        name = f"{kind}{size}"
        how = How(size=size, format=kind)  # type: ignore[arg-type]
        sources[name] = prepare(open_pool([large]), folder / name, how).folder
    records = {name: open_pool([path]) for name, path in sources.items()}
    ways: list[Way] = []

    def each(what: str, data: str, work: Callable[[Record], object], goal: int | None = None) -> None:
        ways.append(
            Way(f"{data}: {what}", lambda: [work(record) for record in records[data]], len(records[data]), goal)
        )

    def fed(data: str, size: int, crop: Any, goal: int | None = None) -> None:
        loader = _feed(records[data], size, ViewOptions(crop=crop))
        count = loader.steps_per_epoch * loader.batch_size

        def run() -> None:
            for batch in loader.batches(0, loader.steps_per_epoch):
                batch.to("cpu")

        ways.append(Way(f"{data}: batches of {size} px, {crop}", run, count, goal))

    each("read", "large", lambda record: read_picture(record.where))
    each("read, resized to 144 px", "large", lambda record: resized(record.where, 144), 600)
    each("read, resized to 256 px", "large", lambda record: resized(record.where, 256), 280)
    fed("large", 144, "squash", 600)
    fed("large", 144, "random")
    fed("large", 256, "squash", 280)
    fed("large", 256, "random")
    each("read", "jpeg256", lambda record: read_picture(record.where), 900)
    fed("jpeg256", 256, "centre", 900)
    fed("raw144", 128, "window", 8000)
    if every:
        fed("jpeg256", 256, "squash")
        fed("jpeg288", 256, "window")
        fed("jpeg144", 128, "window")
        fed("jpeg144", 128, "random")
        fed("raw144", 128, "random")
        fed("raw288", 256, "window")
    return [way for way in ways if every or way.goal]


def _feed(records: Sequence[Record], size: int, options: ViewOptions) -> Feed:
    return Feed(records, size=size, view=options, batch_size=min(BATCH, len(records)), seed=0)


def stages(large: Path, size: int, options: ViewOptions, device: torch.device) -> dict[str, Way]:
    """What makes a batch of ``size`` pixels; ``read and decode`` and ``transfer and augment`` hold the stage before them."""
    records = open_pool([large])
    side = side_to_decode(size, options)
    paths = [record.path for record in records]
    decoded = [read_picture(record.where, side) for record in records]
    draws = [generator(0, "view", 0, number) for number in range(len(records))]
    (batch,) = _feed(records, size, options).batches(0, 1)
    half = torch.arange(len(batch)) % 2 == 0
    mirrored = replace(batch, flips=half)
    still = replace(batch, flips=torch.zeros_like(half))
    there = still.to(device).rgb
    count = len(batch)
    return {
        "read": Way("read", lambda: [path.read_bytes() for path in paths], len(paths)),
        "read and decode": Way("", lambda: [read_picture(record.where, side) for record in records], len(paths)),
        "resize": Way(
            "resize",
            lambda: [view(rgb, None, size, options, draw) for rgb, draw in zip(decoded, draws, strict=True)],
            len(paths),
        ),
        "transfer": Way("transfer", lambda: still.to(device), count),
        "transfer and augment": Way("", lambda: mirrored.to(device), count),
        "Lab": Way("Lab", lambda: rgb_to_planes(there), count),
    }


def stage_sample(ways: dict[str, Way], stage: str, clock: Clock, least: float) -> Sample:
    """Seconds a picture of one stage."""

    def timed(name: str) -> Sample:
        return per_picture(ways[name], clock, least)

    match stage:
        case "decode":
            return difference(timed("read and decode"), timed("read"))
        case "augment":
            return difference(timed("transfer and augment"), timed("transfer"))
        case _:
            return timed(stage)


def per_picture(way: Way, clock: Clock, least: float) -> Sample:
    """Seconds a picture of a way."""
    sample = clock.sample(way.run, least)
    return replace(sample, seconds=sample.seconds / way.pictures)


def serve(case: dict[str, Any], clock: Clock, requests: Iterator[dict[str, Any]], answer: Callable[..., None]) -> None:
    """Answer requests ``{"stage": name, "trained": which, "least": seconds}``, ``{"way": number, ...}`` and ``{"count": pictures}``.

    With nothing ``trained`` in the case there are no ways either.
    """
    large, folder = Path(case["photos"]), Path(case["folder"])
    ways = whole(large, folder, every=False) if case["trained"] else []
    trained = {
        name: stages(large, one["size"], recipe.fill(ViewOptions, one["view"], "bench"), clock.device)
        for name, one in case["trained"].items()
    }
    answer(ways=[(way.name, way.goal) for way in ways])
    for request in requests:
        if "count" in request:
            records = open_pool([large])
            several = [records[i % len(records)] for i in range(request["count"])]
            loader = _feed(several, 128, ViewOptions())
            clock.start()
            for batch in loader.batches(0, loader.steps_per_epoch):
                batch.to("cpu")
            sample = clock.stop()
        elif "way" in request:
            sample = per_picture(ways[request["way"]], clock, request["least"])
        else:
            sample = stage_sample(trained[request["trained"]], request["stage"], clock, request["least"])
        answer(sample=sample)
