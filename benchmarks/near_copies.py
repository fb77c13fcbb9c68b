"""How many changed copies of pictures are found among strangers, and how near strangers come: the table of docs/log.md.

    python benchmarks/near_copies.py --pool PHOTOS --test VOC2012 MORE_TEST_PICTURES

Every test picture is changed in each way, saved as JPEG and compared with the originals of all of them. The pool as it is must hold none of
them, so a pair found there is a false alarm or a true copy: look at it.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

from pretint.data import duplicates, picture_hash
from pretint.data.layouts import open_pool, open_source
from pretint.data.looking import look
from pretint.data.record import Record

Change = Callable[[Image.Image], Image.Image]


def scaled(factor: float) -> Change:
    return lambda p: p.resize((round(p.width * factor), round(p.height * factor)), Image.Resampling.LANCZOS)


def cropped(share: float, other: float | None = None) -> Change:
    """Without ``share`` of the left, and ``other`` (the same, where not given) of the other sides."""
    rest = share if other is None else other
    return lambda p: p.crop(
        (round(p.width * share), round(p.height * rest), round(p.width * (1 - rest)), round(p.height * (1 - rest)))
    )


def bright(factor: float) -> Change:
    return lambda p: ImageEnhance.Brightness(p).enhance(factor)


def several(*changes: Change) -> Change:
    def change(picture: Image.Image) -> Image.Image:
        for one in changes:
            picture = one(picture)
        return picture

    return change


def square(p: Image.Image) -> Image.Image:
    return p.resize((128, 128), Image.Resampling.BICUBIC)


CHANGES: dict[str, tuple[Change, int]] = {
    "quality 95": (lambda p: p, 95),
    "quality 50": (lambda p: p, 50),
    "quality 30": (lambda p: p, 30),
    "x 1.5": (scaled(1.5), 75),
    "x 0.7": (scaled(0.7), 75),
    "x 0.3": (scaled(0.3), 75),
    "x 0.3, quality 30": (scaled(0.3), 30),
    "squashed to 128 x 128": (square, 75),
    "mirrored": (ImageOps.mirror, 75),
    "brightness x 0.8": (bright(0.8), 75),
    "brightness x 1.2": (bright(1.2), 75),
    "brightness x 1.4": (bright(1.4), 75),
    "grey": (lambda p: p.convert("L"), 75),
    "squashed, mirrored, x 1.15, quality 40": (several(square, ImageOps.mirror, bright(1.15)), 40),
    "2 % a side cut off": (cropped(0.02), 75),
    "5 % a side cut off": (cropped(0.05), 75),
    "the same, squashed, mirrored, quality 40": (several(cropped(0.05), square, ImageOps.mirror), 40),
    "6 % a side cut off": (cropped(0.06), 75),
    "8 % a side cut off": (cropped(0.08), 75),
    "5 % of the left cut off": (cropped(0.05, 0.0), 75),
    "square in the middle": (lambda p: ImageOps.fit(p, (min(p.size),) * 2), 75),
    "turned by 90 degrees": (lambda p: p.transpose(Image.Transpose.ROTATE_90), 75),
}


def plant(test: list[Record], folder: Path, change: Change, quality: int) -> list[Record]:
    copies = []
    for place, record in enumerate(test):
        path = folder / f"{place:05d}.jpg"
        with Image.open(record.path) as picture:
            change(picture.convert("RGB")).save(path, quality=quality)
        copies.append(Record(str(place), path))
    return copies


def nearest_strangers(pool: list[Record], test: list[Record], cache: Path) -> list[int]:
    """Least distance of each test picture to any of the pool, rising."""
    found = []
    for part in (pool, test):
        hashes = [seen.hashes for seen in look(part, cache=cache) if seen.hashes]
        found.append(picture_hash.words(b"".join(hashes)))
    blocks = [found[0][i : i + 4096] for i in range(0, len(found[0]), 4096)]
    least = np.min([duplicates.distances(block, found[1]).min(axis=1) for block in blocks], axis=0)
    return sorted(least.tolist())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pool", type=Path, required=True)
    parser.add_argument("--test", type=Path, nargs="+", required=True)
    options = parser.parse_args()
    pool = list(open_pool([options.pool]))
    sources = [open_source(folder) for folder in options.test]
    test = [Record(str(r.path), r.path) for source in sources for r in source.split(source.test_split)]
    with tempfile.TemporaryDirectory() as temporary:
        cache = Path(temporary) / "looks.safetensors"
        begun = time.process_time()
        look([*pool, *test], cache=cache)
        looked = time.process_time()
        found = duplicates.near_copies(pool, test, cache=cache)
        compared = time.process_time()
        print(
            f"{len(pool)} x {len(test)} pictures: looking {looked - begun:.1f} s of one core, comparing {compared - looked:.1f} s"
        )
        print(f"pairs as they are: {len(found.pairs)}; not compared: {len(found.unseen)}")
        for pair in found.pairs:
            print(f"  {pair}")
        print(f"distance of the nearest strangers: {nearest_strangers(pool, test, cache)[:5]}\n", flush=True)
        print(
            "| change | found | wrongly paired | distance, median and largest | least similarity |\n|---|---|---|---|---|"
        )
        for name, (change, quality) in CHANGES.items():
            copies = plant(test, Path(temporary), change, quality)
            pairs = duplicates.near_copies(copies, test).pairs
            right = [pair for pair in pairs if test[int(pair.pool)].id == pair.test]
            distances = [pair.distance for pair in right] or [255]
            print(
                f"| {name} | {len(right)} of {len(test)} | {len(pairs) - len(right)} | {np.median(distances):.0f}, {max(distances)} "
                f"| {min([pair.similarity for pair in right], default=0):.2f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
