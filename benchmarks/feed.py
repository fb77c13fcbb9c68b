"""How many pictures a second one core reads: process CPU time, one process, median of several short runs.

    python benchmarks/feed.py --photos PHOTOS

PHOTOS is a folder of photos of about 256 pixels; four of them side by side make a picture of 500 x 375. Without it the pictures are made
ones, as `pretint bench --only feed` has them. Each line is a way from file to batch (uint8, on the CPU, mirrored), its pictures a second,
the least and the most of the runs, and the goal where there is one.
"""

import argparse
import json
import tempfile
from pathlib import Path

import torch
from PIL import Image

from pretint.data.layouts import open_pool
from pretint.speed.clock import Clock
from pretint.speed.feeding import per_picture, whole
from pretint.speed.photos import LARGE, write
from pretint.speed.samples import as_json, estimate, rate
from pretint.training.allocator import raise_allocator_thresholds


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path)
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


def measure(photos: Path | None, folder: Path, count: int, runs: int) -> list[dict[str, object]]:
    """All ways, in turn: each is run once before any is run again, so that a busy neighbour meets all alike."""
    large = folder / "large"
    if photos:
        make_large(photos, large, count)
    else:
        write(large, count)
    ways = whole(large, folder)
    clock = Clock("cpu", torch.device("cpu"))
    samples: list[list] = [[] for _ in ways]
    for _ in range(runs):
        for way, found in zip(ways, samples, strict=True):
            found.append(per_picture(way, clock, 0.1))
    rates = [as_json(rate(estimate(found), 1)) for found in samples]
    return [{"what": way.name, "goal": way.goal, **found} for way, found in zip(ways, rates, strict=True)]


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
