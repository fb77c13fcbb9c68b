"""A folder a class: cat/a.jpg, dog/b.jpg; or these below train/, val/, test/."""

import os
from pathlib import Path

from pretint.data.layouts.pictures import walk
from pretint.data.record import Record, Source
from pretint.errors import OptionError

SPLITS = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}
"""Names of folders that are splits, and what the splits are called."""


def recognises(folder: Path) -> bool:
    """True when the folder holds no picture itself but two or more folders with pictures directly in them, in each of its splits."""
    return not _holds_pictures(folder) and all(
        len(below := _folders(root)) > 1 and all(_holds_pictures(f) for f in below) for root in _roots(folder)
    )


def read(folder: Path, classes: tuple[str, ...] | None = None, other: str = "void", task: str | None = None) -> Source:
    """List the pictures; the label is the folder's name. With ``classes``, pictures of other folders carry no label of them.

    Raises:
        OptionError: a class without a folder.
    """
    roots = _roots(folder)
    found = sorted({below.name for root in roots for below in _folders(root)})
    for name in classes or ():
        if name not in found:
            raise OptionError(f"--classes {name}: {folder} has the folders {', '.join(found[:30])}")
    names = classes or tuple(found)
    splits: dict[str, tuple[Record, ...]] = {}
    for root in roots:
        records = tuple(
            Record(path.relative_to(folder).as_posix(), path, (below.name,) if below.name in names else ())
            for below in _folders(root)
            for path in walk(below)
        )
        if root != folder:
            split = SPLITS[root.name.lower()]
            splits[split] = splits.get(split, ()) + records
        splits["all"] = splits.get("all", ()) + records
    return Source("imagefolder", folder, names, splits)


def _roots(folder: Path) -> list[Path]:
    below = _folders(folder)
    is_split = [f.name.lower() in SPLITS for f in below]
    return below if below and all(is_split) else [folder]


def _folders(folder: Path) -> list[Path]:
    with os.scandir(folder) as entries:
        return sorted(folder / e.name for e in entries if e.is_dir() and not e.name.startswith("."))


def _holds_pictures(folder: Path) -> bool:
    first = next(walk(folder), None)  # files come before folders
    return first is not None and first.parent == folder
