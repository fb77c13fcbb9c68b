"""A folder a class: cat/a.jpg, dog/b.jpg; or these below train/, val/, test/."""

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pretint.data.file_records import FileRecords, Lines
from pretint.data.layouts.pictures import holds_pictures, is_of_ours, names_below
from pretint.data.record import SPLITS, Source, pick
from pretint.errors import OptionError


def recognises(folder: Path) -> bool:
    """True when the folder holds no picture itself but two or more folders with pictures directly in them, in each of its splits."""
    return not holds_pictures(folder) and all(
        len(below := _folders(root)) > 1 and all(holds_pictures(f) for f in below) for root in _roots(folder)
    )


def nearly(folder: Path) -> str:
    """Why a folder that looks like this layout is not of it, without a full stop; empty where it does not look so."""
    roots = {root: _folders(root) for root in _roots(folder)}
    if recognises(folder) or not any(sum(map(holds_pictures, below)) > 1 for below in roots.values()):
        return ""
    why = f"{folder} holds pictures beside them"
    for root, below in roots.items():
        if len(below) < 2:
            why = f"{root} holds {'no folder' if not below else f'the folder {below[0].name} alone'}"
        elif empty := [path for path in below if not holds_pictures(path)]:
            why = f"{empty[0]} holds no picture"
    return f"its folders are not taken for classes, since {why}: every split needs a folder a class, each with pictures"


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
    labels = [(name,) if name in names else () for name in found]
    text, count = bytearray(), 0
    kinds: list[NDArray[np.int32]] = []
    places: dict[str, list[NDArray[np.int64]]] = {}
    for root in roots:
        for below in _folders(root):
            listed = names_below(folder, f"{below.relative_to(folder).as_posix()}/")
            more = listed.count(b"\0")
            kinds.append(np.full(more, found.index(below.name), np.int32))
            if root != folder:
                places.setdefault(SPLITS[root.name.lower()], []).append(np.arange(count, count + more))
            text += listed
            count += more
    everything = FileRecords(folder, Lines(text, end=b"\0"), labels, np.concatenate(kinds))
    splits = {split: pick(everything, np.concatenate(parts)) for split, parts in places.items()}
    return Source("imagefolder", folder, names, {**splits, "all": everything})


def _roots(folder: Path) -> list[Path]:
    below = _folders(folder)
    is_split = [f.name.lower() in SPLITS for f in below]
    return below if below and all(is_split) else [folder]


def _folders(folder: Path) -> list[Path]:
    with os.scandir(folder) as entries:
        below = sorted(folder / e.name for e in entries if e.is_dir() and not e.name.startswith("."))
    return [path for path in below if not is_of_ours(path)]
