"""Synthetic scenes whose colour follows from what a thing is: data with labels, masks and boxes, made in seconds.

    write(Path("scenes"), 2000, seed=0, size=128, splits={"train": 1600, "test": 400})

Ten things (`CLASSES`), one to four at a time, stand under the sky, before a wall or on one surface. Outlines are shared
(apple, orange and ball; lemon and leaf; pony and zebra), pigments are drawn towards one luminance and then scattered,
and light, contrast, pose, size and occlusion change from scene to scene: grey level alone does not give a colour away,
shape and texture do. Which things a scene shows is independent of its background.
"""

import csv
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from PIL import Image

from pretint.data.processes import cores, in_order
from pretint.data.scene_drawing import CLASSES, LEAST_VISIBLE, Scene, scene
from pretint.errors import DataError, OptionError
from pretint.run_folder import writing

__all__ = ["CLASSES", "LEAST_VISIBLE", "VERSION", "Scene", "scene", "write"]

VERSION = 1
"""Counts up whenever the same seed would give other pictures."""


def write(
    folder: Path,
    pictures: int,
    seed: int,
    *,
    size: int = 128,
    splits: Mapping[str, int] | None = None,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Write scenes 0 to ``pictures - 1`` of a seed as a folder of pictures, masks, labels and split lists.

        images/000000.jpg   quality 95, no chroma subsampling      train.txt, ...   names without suffix, a line each
        masks/000000.png    palette, ids as in `Scene.mask`         labels.csv       file, then 0 or 1 for each class
        classes.txt         names by mask id, background first      scenes.json      what was asked for

    The folder appears whole or not at all. One that was written with the same values is left as it is.

    Args:
        folder: where to; new, empty, or written before with the same values.
        pictures: how many.
        seed: 0 or more.
        size: side of the pictures in pixels.
        splits: pictures in each split, in their order; together ``pictures``. By default four fifths are "train", the
            rest "test".
        workers: processes beside this one; by default one for each core, and none for fewer than 200 pictures.
        progress: told (pictures written, all).

    Returns:
        The folder.

    Raises:
        OptionError: the splits do not add up to ``pictures``, or a name or number is out of range.
        DataError: the folder holds something else.
        ResourceError: a process was killed, or it cannot be written.
    """
    if splits is None:
        splits = {"train": pictures - pictures // 5, "test": pictures // 5}
    if pictures < 1 or any(count < 0 for count in splits.values()) or sum(splits.values()) != pictures:
        raise OptionError(
            f"splits {dict(splits)}: the numbers of pictures have to be 0 or more and add up to pictures, {pictures}"
        )
    for name in splits:
        if not name.isidentifier() or name in ("classes", "all"):
            raise OptionError(
                f"splits: {name!r} cannot name a split; use letters, digits and _, but neither 'classes' nor 'all'"
            )
    manifest = {
        "scenes": VERSION,
        "seed": seed,
        "size": size,
        "pictures": pictures,
        "splits": dict(splits),
        "classes": list(CLASSES),
    }
    folder = folder.resolve()
    if folder.exists():
        if _holds(folder, manifest):
            return folder
        if not folder.is_dir() or any(folder.iterdir()):
            raise DataError(
                f"{folder}: holds something other than these {pictures} scenes of seed {seed}; "
                "choose another folder or remove it"
            )

    with writing(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        try:
            for name in ("images", "masks"):
                (part / name).mkdir()
            _write_lists(part, splits, _write_pictures(part, pictures, seed, size, workers, progress))
            (part / "scenes.json").write_text(json.dumps(manifest, indent=2) + "\n")
            part.chmod(0o755)  # mkdtemp lets nobody else read
            try:
                part.replace(folder)
            except OSError:
                # Another process may have put the same scenes there meanwhile.
                if not _holds(folder, manifest):
                    raise
        finally:
            shutil.rmtree(part, ignore_errors=True)
    return folder


def _holds(folder: Path, manifest: dict[str, object]) -> bool:
    """True when the folder holds just these scenes, all of them."""
    try:
        found = json.loads((folder / "scenes.json").read_text())
        files = [len(os.listdir(folder / name)) for name in ("images", "masks")]  # noqa: PTH208 - only counted
    except (OSError, ValueError):
        return False
    lists = all((folder / name).is_file() for name in ("classes.txt", "labels.csv"))
    return bool(found == manifest and lists and files == [manifest["pictures"]] * 2)


def _write_pictures(
    folder: Path, pictures: int, seed: int, size: int, workers: int | None, progress: Callable[[int, int], None] | None
) -> list[tuple[str, ...]]:
    """Write images and masks; gives the labels of every picture in order."""
    if workers is None:
        workers = cores() if pictures >= 200 else 0
    labels: list[tuple[str, ...]] = []
    for found in in_order(partial(_write_one, folder, seed, size), range(pictures), workers):
        labels.append(found)
        if progress:
            progress(len(labels), pictures)
    return labels


def _write_one(folder: Path, seed: int, size: int, picture: int) -> tuple[str, ...]:
    drawn = scene(seed, picture, size)
    Image.fromarray(drawn.rgb).save(folder / "images" / f"{picture:06d}.jpg", quality=95, subsampling=0)
    mask = Image.fromarray(drawn.mask)
    mask.putpalette(_PALETTE)  # makes it a palette picture; the ids stay
    mask.save(folder / "masks" / f"{picture:06d}.png")
    return drawn.labels


def _write_lists(folder: Path, splits: Mapping[str, int], labels: list[tuple[str, ...]]) -> None:
    (folder / "classes.txt").write_text("".join(f"{name}\n" for name in ("background", *CLASSES)))
    first = 0
    for name, count in splits.items():
        (folder / f"{name}.txt").write_text("".join(f"{picture:06d}\n" for picture in range(first, first + count)))
        first += count
    with (folder / "labels.csv").open("w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["file", *CLASSES])
        for picture, present in enumerate(labels):
            table.writerow([f"images/{picture:06d}.jpg", *(int(name in present) for name in CLASSES)])


_PALETTE = bytes(
    (
        0,
        0,
        0,
        200,
        30,
        35,
        240,
        140,
        30,
        40,
        90,
        200,
        240,
        220,
        60,
        60,
        150,
        50,
        120,
        60,
        150,
        240,
        130,
        180,
        30,
        140,
        160,
        130,
        85,
        45,
        235,
        230,
        220,
    )
)
"""Colours of the mask ids, as the things are coloured, red green blue; for the eye alone."""
