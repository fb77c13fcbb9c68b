"""How many pictures a second one core reads: process CPU time, one process, median of several short runs.

    python benchmarks/feed.py --photos PHOTOS

PHOTOS is a folder of photos of about 256 pixels; four of them side by side make a picture of 500 x 375. Each line is a way from file to
batch (uint8, on the CPU, mirrored), its pictures a second, the smallest and largest of the runs, and the goal where there is one.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from PIL import Image

import pretint
from pretint.data.feed import Feed
from pretint.data.layouts import open_pool
from pretint.data.preparing import resized
from pretint.data.reading import read_picture
from pretint.data.record import Record
from pretint.data.views import ViewOptions
from pretint.training.allocator import raise_allocator_thresholds

LARGE = (500, 375)
BATCH = 32


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--pictures", type=int, default=96)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    raise_allocator_thresholds()  # as the command does
    with tempfile.TemporaryDirectory() as folder:
        rows = measure(arguments.photos, Path(folder), arguments.pictures, arguments.runs)
    if arguments.json:
        print(json.dumps(rows, indent=1))
        return
    for row in rows:
        goal = "" if row["goal"] is None else f"goal {row['goal']}: {'yes' if row['median'] >= row['goal'] else 'no'}"
        print(f"{row['what']:<62}{row['median']:>9.0f}  ({row['low']:.0f} to {row['high']:.0f})  {goal}")


def measure(photos: Path, folder: Path, count: int, runs: int) -> list[dict[str, object]]:
    """All ways, in turn: each is run once before any is run again, so that a busy neighbour meets all alike."""
    large = folder / "large"
    make_large(photos, large, count)
    for size in (144, 256, 288):
        for kind in ("jpeg", "raw"):
            pretint.prepare(large, out=folder / f"{kind}{size}", size=size, format=kind)
    ways: list[tuple[str, int | None, Sequence[Record], Callable[[Sequence[Record]], object]]] = []

    def feed(data: str, size: int, crop: str, goal: int | None = None, **view: object) -> None:
        records = open_pool([folder / data])
        options = ViewOptions(crop=crop, **view)  # type: ignore[arg-type]
        loader = Feed(records, size=size, view=options, batch_size=BATCH, seed=0)

        def run(_: Sequence[Record]) -> None:
            for batch in loader.batches(0, loader.steps_per_epoch):
                batch.to("cpu")

        ways.append((f"{data}: batches of {size} px, {crop}, mirrored", goal, records, run))

    def each(what: str, data: str, work: Callable[[Record], object], goal: int | None = None) -> None:
        ways.append((what, goal, open_pool([folder / data]), lambda records: [work(record) for record in records]))

    each("large: read", "large", lambda record: read_picture(record.where))
    each("large: read and resize to a shorter side of 144 px", "large", lambda r: resized(r.where, 144), 600)
    each("large: read and resize to a shorter side of 256 px", "large", lambda r: resized(r.where, 256), 280)
    feed("large", 144, "squash", 600)
    feed("large", 144, "random")
    feed("large", 256, "squash", 280)
    feed("large", 256, "random")
    each("jpeg256: read", "jpeg256", lambda record: read_picture(record.where), 900)
    feed("jpeg256", 256, "centre", 900)
    feed("jpeg256", 256, "squash")
    feed("jpeg288", 256, "window")
    feed("jpeg144", 128, "window")
    feed("jpeg144", 128, "random")
    feed("raw144", 128, "window", 8000)
    feed("raw144", 128, "random")
    feed("raw288", 256, "window")
    rates: list[list[float]] = [[] for _ in ways]
    for _ in range(runs):
        for (_, _, records, run), found in zip(ways, rates, strict=True):
            pictures = repetitions = 0
            begun = time.process_time()
            while (spent := time.process_time() - begun) < 0.1 or not repetitions:
                run(records)
                pictures += len(records)
                repetitions += 1
            found.append(pictures / spent)
    return [
        {"what": what, "goal": goal, "median": statistics.median(found), "low": min(found), "high": max(found)}
        for (what, goal, _, _), found in zip(ways, rates, strict=True)
    ]


def make_large(photos: Path, out: Path, count: int) -> None:
    """Four photos side by side, cut to 500 x 375; about 70 kB each."""
    out.mkdir()
    sources = [record.path for record in open_pool([photos])]
    half = (LARGE[0] // 2, LARGE[1] // 2 + 1)
    for i in range(count):
        picture = Image.new("RGB", LARGE)
        for j, corner in enumerate(((0, 0), (half[0], 0), (0, half[1]), half)):
            with Image.open(sources[(4 * i + j) % len(sources)]) as photo:
                picture.paste(photo.convert("RGB"), corner)
        picture.save(out / f"{i:04d}.jpg", quality=90)


if __name__ == "__main__":
    main()
